/* One fit of a network (p, h, 1) with logistic neurons, or of a logistic regression (h = 0), by
   L-BFGS: weighted mean cross entropy + l2 (sum of the squared weights), biases free.

   With SINGLE an evaluation is in single precision; liblbfgs itself works in double precision.

   Rows pass through in tiles that stay in cache, neurons one below the other and rows side by side,
   so that every loop is over neighbours. A row of ones below the inputs stands for the biases. */

#include <cblas.h>
#include <lbfgs.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

#if SINGLE
typedef float real;
#define gemm cblas_sgemm
#else
typedef double real;
#define gemm cblas_dgemm
#endif

enum { TILE = 256 };

typedef struct {
    int p, h, tiles;   /* columns with the ones, neurons, tiles */
    double l2, tol, norm; /* norm: the largest entry of the gradient at the last iterate */
    real *x, *sign, *weight; /* (tiles, p, TILE); 1 - 2y and w, (tiles, TILE) */
    real *hidden;            /* (h, TILE): values, then what is passed down */
    real *theta, *sums;      /* the parameters, and a tile's sums over its rows */
    int iterations;
} Fit;

/* Losses of a tile from its logits o, which are replaced by w dl/do. */
static real losses(real *restrict o, const real *restrict sign, const real *restrict weight)
{
    real total = 0;
#pragma omp simd reduction(+ : total)
    for (int t = 0; t < TILE; t++) {
        real z = sign[t] * o[t], e = exp(-fabs(z)), large = 1 / (1 + e);
        total += weight[t] * ((z > 0 ? z : 0) + log1p(e));
        o[t] = weight[t] * sign[t] * (z > 0 ? large : e * large);
    }
    return total;
}

static void sigmoid(real *restrict a, int size)
{
#pragma omp simd
    for (int t = 0; t < size; t++)
        a[t] = 1 / (1 + exp(-a[t]));
}

/* Value and gradient; theta is (h, p), a neuron a row, and then the output weights and bias. */
static double evaluate(void *instance, const double *theta, double *g, int n, double step)
{
    Fit *f = instance;
    const int p = f->p, h = f->h, top = h ? h : p - 1;
    const real *w = f->theta + h * p;
    real *by_w = f->sums + h * p, o[TILE] __attribute__((aligned(64)));
    double value = 0;

    for (int k = 0; k < n; k++)
        f->theta[k] = theta[k];
    memset(g, 0, n * sizeof *g);
    for (int tile = 0; tile < f->tiles; tile++) {
        real *x = f->x + (size_t)tile * p * TILE, *a = h ? f->hidden : x;
        if (h) {
            gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, h, TILE, p, 1, f->theta, p, x, TILE, 0,
                 a, TILE);
            sigmoid(a, h * TILE);
        }
        for (int t = 0; t < TILE; t++)
            o[t] = w[top];
        for (int i = 0; i < top; i++)
#pragma omp simd
            for (int t = 0; t < TILE; t++)
                o[t] += w[i] * a[i * TILE + t];
        value += losses(o, f->sign + tile * TILE, f->weight + tile * TILE);
        for (int i = 0; i < top; i++) {
            real *restrict row = a + i * TILE, sum = 0;
            if (h) {
#pragma omp simd reduction(+ : sum)
                for (int t = 0; t < TILE; t++) {
                    real v = row[t], passed = v * o[t];
                    sum += passed;
                    row[t] = w[i] * passed * (1 - v);
                }
            } else {
#pragma omp simd reduction(+ : sum)
                for (int t = 0; t < TILE; t++)
                    sum += row[t] * o[t];
            }
            by_w[i] = sum;
        }
        real sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int t = 0; t < TILE; t++)
            sum += o[t];
        by_w[top] = sum;
        if (h)
            gemm(CblasRowMajor, CblasNoTrans, CblasTrans, h, p, TILE, 1, a, TILE, x, TILE, 0,
                 f->sums, p);
        for (int k = 0; k < n; k++)
            g[k] += f->sums[k];
    }
    for (int i = 0; i <= h; i++) { /* the last entry of each neuron is its bias */
        int first = i * p, last = i < h ? first + p - 1 : first + top;
        for (int k = first; k < last; k++) {
            value += f->l2 * theta[k] * theta[k];
            g[k] += 2 * f->l2 * theta[k];
        }
    }
    return value;
}

static int progress(void *instance, const double *x, const double *g, double fx, double xnorm,
                    double gnorm, double step, int n, int k, int ls)
{
    Fit *f = instance;
    f->norm = 0;
    for (int i = 0; i < n; i++)
        f->norm = fmax(f->norm, fabs(g[i]));
    f->iterations = k;
    return f->norm <= f->tol; /* what is not zero ends the search */
}

static real *room(size_t size)
{
    real *array = aligned_alloc(64, (size * sizeof(real) + 63) / 64 * 64);
    memset(array, 0, size * sizeof(real));
    return array;
}

/* Fit from theta, which is replaced; X is (rows, p), weights of sum 1. Gives the gradient's
   max-norm, returns the iterations. */
int fit(int rows, int p, int h, const double *X, const double *y, const double *weight, double l2,
        double tol, int max_iter, int memory, double *theta, double *norm)
{
    const int tiles = (rows + TILE - 1) / TILE, n = h ? h * (p + 1) + h + 1 : p + 1;
    Fit f = {.p = p + 1, .h = h, .tiles = tiles, .l2 = l2, .tol = tol, .norm = INFINITY};
    f.x = room((size_t)tiles * f.p * TILE);
    f.sign = room((size_t)tiles * TILE);
    f.weight = room((size_t)tiles * TILE);
    f.hidden = room((size_t)(h ? h : 1) * TILE);
    f.theta = room(n);
    f.sums = room(n);
    for (int r = 0; r < rows; r++) {
        real *x = f.x + (size_t)(r / TILE) * f.p * TILE + r % TILE;
        for (int k = 0; k < p; k++)
            x[(size_t)k * TILE] = X[(size_t)r * p + k];
        x[(size_t)p * TILE] = 1;
        f.sign[r] = 1 - 2 * y[r];
        f.weight[r] = weight[r];
    }
    lbfgs_parameter_t options;
    lbfgs_parameter_init(&options);
    options.m = memory;
    options.epsilon = 1e-300; /* its own rule, on the 2-norm over that of theta, never ends it */
    options.max_iterations = max_iter;
    double *v = lbfgs_malloc(n);
    memcpy(v, theta, n * sizeof *v);
    openblas_set_num_threads(1);
    lbfgs(n, v, NULL, evaluate, progress, &f, &options);
    memcpy(theta, v, n * sizeof *v);
    *norm = f.norm;
    lbfgs_free(v);
    free(f.x), free(f.sign), free(f.weight), free(f.hidden), free(f.theta), free(f.sums);
    return f.iterations;
}
