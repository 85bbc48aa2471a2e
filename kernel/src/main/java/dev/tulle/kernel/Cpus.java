package dev.tulle.kernel;

/** The number of CPUs that the kernel may ever bring up: the width of every per-CPU value. */
final class Cpus {
    private static final int POSSIBLE =
            BpfException.check(LibBpf.possibleCpus(), "cannot read the number of possible CPUs");

    private Cpus() {}

    static int possible() {
        return POSSIBLE;
    }
}
