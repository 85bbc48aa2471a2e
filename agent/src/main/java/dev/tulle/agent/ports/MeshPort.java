package dev.tulle.agent.ports;

/**
 * A port that only the mesh itself may bind.
 *
 * @param number the port
 * @param udp whether it is a UDP port; TCP otherwise
 * @param held whether connections on loopback go to a held socket or nowhere
 * @param everywhere whether it is kept on all of the host's addresses; on loopback and wildcards otherwise
 * @param roots whether root may have it as well, in no group of the mesh
 */
public record MeshPort(int number, boolean udp, boolean held, boolean everywhere, boolean roots) {
    /** A port whose socket the agent holds for the node proxy. */
    public static MeshPort held(int number) {
        return new MeshPort(number, false, true, false, false);
    }

    /** A port that the mesh's processes bind themselves. */
    public static MeshPort kept(int number, boolean udp) {
        return new MeshPort(number, udp, false, false, false);
    }

    /** A port of the control plane, which may run where no agent has put it into a group. */
    public static MeshPort control(int number) {
        return new MeshPort(number, false, false, false, true);
    }

    /** A port that is published on the host's addresses. */
    public static MeshPort published(int number) {
        return new MeshPort(number, false, false, true, false);
    }
}
