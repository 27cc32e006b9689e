# Fit networks by nnet, a row of tasks.csv each: Rscript nnet.R FOLDER PROCESS.
# rows<k>.bin holds the rows of a fold in double precision, a column after the other: the inputs, the
# label, the weight; start<i>.bin the starting values. Reading is not timed.

library(nnet)
arguments <- commandArgs(TRUE)
setwd(arguments[1])
tasks <- read.csv("tasks.csv")
tasks <- tasks[tasks$process == as.integer(arguments[2]), ]
numbers <- function(file) readBin(file, "double", file.size(file) / 8)

for (i in seq_len(nrow(tasks))) {
  task <- tasks[i, ]
  rows <- matrix(numbers(sprintf("rows%d.bin", task$rows)), ncol = task$p + 2)
  x <- rows[, seq_len(task$p), drop = FALSE]
  start <- numbers(sprintf("start%d.bin", task$number))
  decay <- rep(task$decay, length(start))
  if (task$free) # a vector, which nnet takes though its help page does not say so
    decay[c((seq_len(task$h) - 1) * (task$p + 1), length(start) - task$h - 1) + 1] <- 0
  seconds <- system.time(
    fit <- nnet(x, rows[, task$p + 1], weights = rows[, task$p + 2], size = task$h, Wts = start,
                entropy = TRUE, decay = decay, maxit = task$max_iter, abstol = 0,
                reltol = task$reltol, trace = FALSE, MaxNWts = 1e6)
  )[["elapsed"]]
  writeBin(c(seconds, fit$wts), sprintf("fit%d.bin", task$number))
}
