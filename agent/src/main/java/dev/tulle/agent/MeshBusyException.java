package dev.tulle.agent;

import java.io.IOException;

/** Somebody else runs this mesh on this host: nothing of it may be touched. The message says who, for people. */
public final class MeshBusyException extends IOException {
    private static final long serialVersionUID = 1;

    /** With one sentence that names the process. */
    public MeshBusyException(String message) {
        super(message);
    }
}
