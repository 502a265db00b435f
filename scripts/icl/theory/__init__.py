"""The paper's theory: each equation in one place, named by its number.

landscape    the loss over beta and w, and c1, c2, c3 (5, 15, 20 to 22, 29, 30)
balanced     the task D' and the curve that parts its flow (9)
accuracy     accuracies of the minimal model in the limit of equation 4
flow         gradient flow, early and of the whole loss (7, 8, 31, 32)
acquisition  t_ICL and its distribution (10, 11, 34, 35, 37)
memorisation I_K, tau_K, K*, and which mechanism (10, 12, 13)
transience   the fall of w and the two losses (15, 16, 45 to 47)
race         beta, w and a memorising MLP together (figure 1)
datasets     what figures 1, 4 and A.1 draw

Where each equation is:

5, 22           landscape.loss_gaussian
7, 8, 31, 32    flow.early_flow
9               balanced.loss_balanced, separatrix
10              memorisation.i_k; inverted: MemorisationRecord.acquisition_time
10, 11, 34, 35  acquisition.t_icl_near_origin
12, 13          memorisation.critical_diversity; mechanism: MemorisationRecord.decide
15, 45          transience.w_tracking; its lag: tracking_lag
16, 46, 47      transience.iwl_loss_after_acquisition, icl_loss_after_fading
20, 21          landscape.loss_exact; gradient: loss_gradient; flow: flow.loss_flow
29, 30, 15      landscape.order_parameters (c1, c2, c3)
37              acquisition.t_icl_along_nullcline

Notation, the same in every function:

context_length, n  N, tokens in the context
n_items            K, items of the dataset
beta, w            query-key strength and value strength (logit), of any shape; beta0, w0 at t = 0
logits             phi^+, the MLP's logits signed so that positive is correct (L,); 0 is no MLP
weights            weight of each logit (L,); equal if absent
logits_minus       phi^- of items labelled -1; the mirror image of `logits` if absent
c1, c2, c3         <sigma(-phi^+)>, 1 - <sigma(-phi^+)^2>/c1, <exp(-phi^+)>
weight_decay       lambda on w alone, per theory time
time               theory time: learning rate times step
t_icl              time to acquire ICL at K = infinity (theory time)

Arguments broadcast against each other. Outside its domain a function raises `ValueError`; outside
the range in which an equation holds it warns `OutOfRangeWarning`. docs/theory.md lists each
equation with its function, its test and its range.
"""
