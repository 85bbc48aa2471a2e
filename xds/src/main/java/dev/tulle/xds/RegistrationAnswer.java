package dev.tulle.xds;

/** What the control plane says to an announced workload. */
public sealed interface RegistrationAnswer {
    /** The workload's uid. */
    String uid();

    /** The workload is part of the mesh. */
    record Accepted(String uid) implements RegistrationAnswer {}

    /** The workload is not part of the mesh, for example because another one has its address. */
    record Refused(String uid, String reason) implements RegistrationAnswer {}
}
