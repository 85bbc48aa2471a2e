package dev.tulle.common;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Who may use a Unix socket of the mesh. Two checks stand behind it: the kernel's on the socket file's permissions, made
 * with the connecting process's real groups, and ours on the user that the kernel noted when the peer connected. Root and
 * the user that serves the socket are always admitted.
 *
 * @param users further users, by number, that are admitted
 * @param barred users that are refused although the file's permissions let them pass
 * @param group the group of the socket file, by name or number; empty: the file is its owner's alone
 * @param members whether the group's members are admitted, or it is only there for {@code users}
 */
public record SocketAccess(Set<Integer> users, Set<Integer> barred, String group, boolean members) {
    private static final int ROOT = 0;
    private static final int SELF = readSelf();

    /** The few users that sockets are for, as the JDK compares them. */
    private static final Map<Integer, UserPrincipal> PRINCIPALS = new ConcurrentHashMap<>();

    public SocketAccess {
        users = Set.copyOf(users);
        barred = Set.copyOf(barred);
        if (members && group.isEmpty()) {
            throw new IllegalArgumentException("members of no group");
        }
    }

    /** Root and the user that serves the socket. */
    public static SocketAccess owner() {
        return new SocketAccess(Set.of(), Set.of(), "", false);
    }

    /** Also one other user, whose own group has the same number. */
    public static SocketAccess user(int uid) {
        return new SocketAccess(Set.of(uid), Set.of(), Integer.toString(uid), false);
    }

    /** Also the members of a group; without one ({@code ""}) only the owner. */
    public static SocketAccess members(String group) {
        return new SocketAccess(Set.of(), Set.of(), group, !group.isEmpty());
    }

    /** The same without a user who may be in the group for another reason. */
    public SocketAccess without(int uid) {
        Set<Integer> more = new HashSet<>(barred);
        more.add(uid);
        return new SocketAccess(users, more, group, members);
    }

    /** The same with another user, who must be in the group when there is one. */
    public SocketAccess with(int uid) {
        Set<Integer> more = new HashSet<>(users);
        more.add(uid);
        return new SocketAccess(more, barred, group.isEmpty() ? Integer.toString(uid) : group, members);
    }

    /** Whether a peer that the socket file's permissions let pass is admitted. */
    public boolean admits(int uid) {
        return isOwner(uid) || users.contains(uid) || (members && !barred.contains(uid));
    }

    /** The same for a peer as the JDK tells it. */
    public boolean admits(UserPrincipal user) {
        return numberOf(user).map(this::admits).orElse(members && barred.isEmpty());
    }

    /** Whether a user is root or the one that runs this process. */
    public static boolean isOwner(int uid) {
        return uid == ROOT || uid == SELF;
    }

    /** The user that this process runs as. */
    static int self() {
        return SELF;
    }

    /** Who is admitted, for people. */
    public String expected() {
        StringBuilder text = new StringBuilder("root");
        if (SELF != ROOT) {
            text.append(", uid ").append(SELF);
        }
        users.stream().sorted().forEach(uid -> text.append(", uid ").append(uid));
        if (members) {
            text.append(", members of group ").append(group);
        }
        return text.toString();
    }

    /**
     * Gives a socket file its group and permissions.
     *
     * @throws IOException when the group does not exist or this process may not do it
     */
    void apply(Path file) throws IOException {
        Files.setPosixFilePermissions(
                file, PosixFilePermissions.fromString(!group.isEmpty() && given(file) ? "rw-rw----" : "rw-------"));
    }

    /** A server that is not root can give its socket to a group that it is in, and to no other. */
    private boolean given(Path file) throws IOException {
        try {
            groupOf(file).setGroup(names().lookupPrincipalByGroupName(group));
            return true;
        } catch (IOException e) {
            if (SELF == ROOT) {
                throw e;
            }
            return false;
        }
    }

    private static PosixFileAttributeView groupOf(Path file) {
        return Files.getFileAttributeView(file, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    }

    /**
     * Gives a file or directory to a group, not following links. Only root can: without it the file keeps its group.
     *
     * @param group by name or number
     * @throws IOException when there is no such group or this process may not do it
     */
    public static void setGroup(Path file, String group) throws IOException {
        if (SELF == ROOT) {
            groupOf(file).setGroup(names().lookupPrincipalByGroupName(group));
        }
    }

    /** Whether the host has a group of this name. */
    public static boolean hasGroup(String name) {
        try {
            return !names().lookupPrincipalByGroupName(name).getName().isEmpty();
        } catch (IOException e) {
            return false;
        }
    }

    /** The admitted one among the known users that a name stands for; empty for everybody else. */
    Optional<Integer> numberOf(UserPrincipal user) {
        Set<Integer> known = new HashSet<>(users);
        known.addAll(barred);
        known.add(ROOT);
        known.add(SELF);
        return known.stream()
                .filter(uid ->
                        PRINCIPALS.computeIfAbsent(uid, SocketAccess::principal).equals(user))
                .findFirst();
    }

    private static UserPrincipal principal(int uid) {
        try {
            return names().lookupPrincipalByName(Integer.toString(uid));
        } catch (IOException e) {
            throw new UncheckedIOException("user " + uid + " cannot be looked up", e);
        }
    }

    private static UserPrincipalLookupService names() {
        return FileSystems.getDefault().getUserPrincipalLookupService();
    }

    private static int readSelf() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException | UnsupportedOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }
}
