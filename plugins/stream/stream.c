/*
 * The four kernels of the STREAM memory bandwidth benchmark, written for hpcvirt-tui from their
 * published definition (J. D. McCalpin, "Memory Bandwidth and Machine Balance in Current High
 * Performance Computers", IEEE TCCA Newsletter, December 1995). This is not the STREAM source, and its
 * figures must not be published as results of that program.
 *
 *   kernel              bytes per element, counted as STREAM counts them
 *   copy   c = a        16
 *   scale  b = s * c    16
 *   add    c = a + b    24
 *   triad  a = b + s*c  24
 *
 * A rate is bytes / best time of the iterations after the first, in MB/s with MB = 1e6 bytes.
 * Build with -DSTREAM_ARRAY_SIZE=elements -DNTIMES=iterations, and -fopenmp for more than one thread.
 * Exit status: 0 result printed and validated, 1 validation failed, 2 the output could not be written.
 */
#include <math.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#ifndef STREAM_ARRAY_SIZE
#define STREAM_ARRAY_SIZE 2000000
#endif
#ifndef NTIMES
#define NTIMES 10
#endif

#if STREAM_ARRAY_SIZE < 1000
#error "STREAM_ARRAY_SIZE must be at least 1000: no clock can time less"
#endif
#if NTIMES < 2
#error "NTIMES must be at least 2: the first iteration is not counted"
#endif
#if NTIMES > 261
#error "NTIMES must be at most 261: the arrays grow 15 times in each iteration and would overflow"
#endif

/* Before glibc 2.17 clock_gettime is in librt, which a node may lack. */
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if !__GLIBC_PREREQ(2, 17)
#define HAVE_NO_MONOTONIC_CLOCK
#endif
#endif
#if defined(CLOCK_MONOTONIC) && !defined(HAVE_NO_MONOTONIC_CLOCK)
#define CLOCK_NAME "CLOCK_MONOTONIC"
#else
#define CLOCK_NAME "gettimeofday"
#endif

#define KERNELS 4
#define SCALAR 3.0
#define EPSILON 1.0e-13
#define RULE "-------------------------------------------------------------\n"

static const long elements = STREAM_ARRAY_SIZE;

static double a[STREAM_ARRAY_SIZE] __attribute__((aligned(64)));
static double b[STREAM_ARRAY_SIZE] __attribute__((aligned(64)));
static double c[STREAM_ARRAY_SIZE] __attribute__((aligned(64)));

static double seconds[KERNELS][NTIMES];

static double now(void)
{
#if defined(CLOCK_MONOTONIC) && !defined(HAVE_NO_MONOTONIC_CLOCK)
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1.0e-9 * (double) t.tv_nsec;
#else
    struct timeval t;
    gettimeofday(&t, NULL);
    return (double) t.tv_sec + 1.0e-6 * (double) t.tv_usec;
#endif
}

/* Each thread writes first what it will use, so that the pages lie near it. */
static void fill(void)
{
    long j;
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (j = 0; j < elements; j++) {
        a[j] = 1.0;
        b[j] = 2.0;
        c[j] = 0.0;
    }
}

static void twice(void)
{
    long j;
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (j = 0; j < elements; j++)
        a[j] = 2.0 * a[j];
}

static void copy(void)
{
    long j;
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (j = 0; j < elements; j++)
        c[j] = a[j];
}

static void scale(void)
{
    long j;
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (j = 0; j < elements; j++)
        b[j] = SCALAR * c[j];
}

static void add(void)
{
    long j;
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (j = 0; j < elements; j++)
        c[j] = a[j] + b[j];
}

static void triad(void)
{
    long j;
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (j = 0; j < elements; j++)
        a[j] = b[j] + SCALAR * c[j];
}

static const struct {
    const char *label;
    void (*run)(void);
    int bytes;
} kernels[KERNELS] = {
    {"Copy:", copy, 16},
    {"Scale:", scale, 16},
    {"Add:", add, 24},
    {"Triad:", triad, 24},
};

static double seconds_of(void (*run)(void))
{
    double start = now();
    run();
    return now() - start;
}

/* Smallest step that the clock was seen to make, in seconds. */
static double clock_step(void)
{
    double smallest = 1.0, before = now();
    int seen = 0;
    while (seen < 20) {
        double after = now();
        if (after > before) {
            if (after - before < smallest)
                smallest = after - before;
            before = after;
            seen++;
        }
    }
    return smallest;
}

static void print_threads(void)
{
#ifdef _OPENMP
    int counted = 0;
#pragma omp parallel
    {
#pragma omp atomic
        counted++;
    }
    printf("Number of Threads requested = %d\n", omp_get_max_threads());
    printf("Number of Threads counted = %d\n", counted);
    printf(RULE);
#endif
}

static void print_problem(void)
{
    double mib = (double) sizeof(double) * (double) elements / 1048576.0;

    printf(RULE);
    printf("STREAM kernels 1.0, implemented by hpcvirt-tui (not the STREAM source)\n");
    printf(RULE);
    printf("Array size = %ld (elements), Offset = 0 (elements)\n", elements);
    printf("Memory: %.1f MiB per array of 8-byte elements, %.1f MiB for three.\n", mib, 3.0 * mib);
    printf("Each kernel will be executed %d times.\n", NTIMES);
    printf("A rate is that of the best time after the first iteration.\n");
    printf(RULE);
    print_threads();
}

static void print_clock(double pass)
{
    double step = clock_step();

    printf("Clock: %s, step %.3f microseconds; one pass takes about %.0f steps.\n", CLOCK_NAME, 1.0e6 * step, pass / step);
    if (pass < 20.0 * step)
        printf("Warning: that is too few to be timed well; use larger arrays.\n");
    printf(RULE);
}

static void measure(void)
{
    int i, k;
    for (k = 0; k < NTIMES; k++)
        for (i = 0; i < KERNELS; i++)
            seconds[i][k] = seconds_of(kernels[i].run);
}

static void print_row(int i)
{
    double sum = 0.0, least = seconds[i][1], most = seconds[i][1];
    int k;
    for (k = 1; k < NTIMES; k++) {
        sum += seconds[i][k];
        least = seconds[i][k] < least ? seconds[i][k] : least;
        most = seconds[i][k] > most ? seconds[i][k] : most;
    }
    printf("%-11s%12.1f  %11.6f  %11.6f  %11.6f\n", kernels[i].label,
           1.0e-6 * kernels[i].bytes * (double) elements / least, sum / (NTIMES - 1), least, most);
}

static void print_table(void)
{
    int i;
    printf("Function    Best Rate MB/s  Avg time     Min time     Max time\n");
    for (i = 0; i < KERNELS; i++)
        print_row(i);
    printf(RULE);
}

/* Is the mean error of the array small against the value that every element should have? */
static int holds(const char *name, const double *array, double expected)
{
    double error = 0.0;
    long j, wrong = 0;
#ifdef _OPENMP
#pragma omp parallel for reduction(+ : error, wrong)
#endif
    for (j = 0; j < elements; j++) {
        double off = fabs(array[j] - expected);
        error += off;
        wrong += !(off <= EPSILON * fabs(expected));
    }
    error /= (double) elements;
    /* Written so that a NaN does not hold. */
    if (error <= EPSILON * fabs(expected))
        return 1;
    printf("Failed Validation on array %s[], AvgRelAbsErr > epsilon (%e)\n", name, EPSILON);
    printf("     Expected Value: %e, AvgAbsErr: %e, AvgRelAbsErr: %e\n", expected, error, error / fabs(expected));
    printf("     For array %s[], %ld errors were found.\n", name, wrong);
    return 0;
}

/* The same recurrence on scalars says what the arrays must hold. */
static int validate(void)
{
    double x = 2.0 * 1.0, y = 2.0, z = 0.0;
    int k, good;
    for (k = 0; k < NTIMES; k++) {
        z = x;
        y = SCALAR * z;
        z = x + y;
        x = y + SCALAR * z;
    }
    good = holds("a", a, x);
    good &= holds("b", b, y);
    good &= holds("c", c, z);
    if (good)
        printf("Solution Validates: avg error less than %e on all three arrays\n", EPSILON);
    printf(RULE);
    return good;
}

int main(void)
{
    int good, unwritten;

    print_problem();
    fill();
    print_clock(seconds_of(twice));
    measure();
    print_table();
    good = validate();
    /* Output to a full device is lost without a word unless it is asked for. */
    unwritten = ferror(stdout);
    if (fclose(stdout) != 0 || unwritten) {
        perror("stream: standard output");
        return 2;
    }
    return good ? 0 : 1;
}
