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

Time is theory time: learning rate times step. docs/theory.md lists each equation with its function,
its test and its range.
"""
