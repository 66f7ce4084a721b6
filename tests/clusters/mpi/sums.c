/* All processes add up a number, again and again:  sums ROUNDS SECONDS [RANK THAT IS KILLED HALFWAY]  */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 10, seconds = argc > 2 ? atoi(argv[2]) : 0;
    int killed = argc > 3 ? atoi(argv[3]) : -1;
    int rank, size, round;
    long one = 1, sum = 0;
    double begun;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    begun = MPI_Wtime();
    for (round = 0; round < rounds; round++) {
        if (rank == killed && round == rounds / 2)
            raise(SIGKILL);
        MPI_Allreduce(&one, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    }
    if (rank == 0)
        printf("ranks: %d\nrate: %f\nsum: %ld\n", size, rounds / (MPI_Wtime() - begun), sum);
    sleep(seconds);
    MPI_Finalize();
    return 0;
}
