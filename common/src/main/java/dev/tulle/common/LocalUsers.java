package dev.tulle.common;

/**
 * The users of a mesh on its host, from which follows who may use each of its sockets.
 *
 * @param proxy the user, and the number of the group, of the node proxy
 * @param group the group whose members administer the mesh; empty when only root does
 */
public record LocalUsers(int proxy, String group) {
    /** The group that administers a mesh, where the host has it. */
    public static final String DEFAULT_GROUP = "tulle";

    /** Root alone, the proxy's user included only when it is root. */
    public static final LocalUsers ROOT = new LocalUsers(0, "");

    /** The proxy's user, and the default group if the host has it. */
    public static LocalUsers ofHost(int proxy) {
        return new LocalUsers(proxy, SocketAccess.hasGroup(DEFAULT_GROUP) ? DEFAULT_GROUP : "");
    }

    /** Sockets on which the mesh is administered: never the proxy, which may pass through the group's directory. */
    public SocketAccess administrators() {
        SocketAccess members = SocketAccess.members(group);
        return proxy == 0 ? members : members.without(proxy);
    }

    /** The sockets that configuration is read from. */
    public SocketAccess readers() {
        return SocketAccess.members(group).with(proxy);
    }

    /** The sockets that only the proxy uses. */
    public SocketAccess proxyOnly() {
        return SocketAccess.user(proxy);
    }

    /** The group of the run directory: whoever has to reach a socket in it. */
    public String directoryGroup() {
        return group.isEmpty() ? Integer.toString(proxy) : group;
    }
}
