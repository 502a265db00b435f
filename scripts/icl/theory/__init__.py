"""The paper's theory: each equation in one place, named by its number.

landscape    the loss over beta and w, and c1, c2, c3 (4 to 6, 15, 20 to 22, 28 to 30)
balanced     the task D' and its saddle (9)
accuracy     accuracies of the minimal model in the limit of equation 4
flow         gradient flow, early and of the whole loss (7, 8, 31, 32)
acquisition  t_ICL and its distribution (10, 11, 34, 35, 37)
memorisation I_K, tau_K, K*, and which mechanism (10, 12, 13)
transience   the fall of w and the two losses (15, 16, 44 to 47)
race         beta, w and a memorising MLP together (figure 1)
datasets     what figures 1, 4 and A.1 draw

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
