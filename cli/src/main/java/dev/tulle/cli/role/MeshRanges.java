package dev.tulle.cli.role;

import dev.tulle.common.Cidr;
import org.jspecify.annotations.Nullable;

/**
 * The address ranges of a mesh, in text form: as given, else the defaults of its name, the same at every start. So meshes
 * side by side on one host need different names and ports, and no ranges. Pure.
 *
 * @param workloads workloads' addresses
 * @param services services' virtual addresses
 */
record MeshRanges(String workloads, String services) {
    /** Those of the mesh that has the host to itself, as most have. */
    static final MeshRanges DEFAULT = new MeshRanges("100.64.0.0/10", "240.240.0.0/16");

    private static final String DEFAULT_MESH = "tulle";

    /** Of the default range's 256 parts of this length those at the ends are left to meshes with given ranges. */
    private static final int PART_BITS = 18;

    private static final int FIRST = 4;
    private static final int LAST = 239;

    /** The ranges of a mesh, of which either may be given. */
    static MeshRanges of(String mesh, int portOffset, @Nullable String workloads, @Nullable String services) {
        MeshRanges own = mesh.equals(DEFAULT_MESH) && portOffset == 0 ? DEFAULT : ofName(mesh + "+" + portOffset);
        return new MeshRanges(
                workloads != null ? workloads : own.workloads, services != null ? services : own.services);
    }

    private static MeshRanges ofName(String name) {
        // FNV-1a: short names that differ in one letter come far apart.
        int hash = 0x811c9dc5;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * 0x01000193;
        }
        int part = FIRST + Integer.remainderUnsigned(hash ^ (hash >>> 15), LAST - FIRST + 1);
        Cidr all = Cidr.of("workload range", DEFAULT.workloads);
        return new MeshRanges(all.part(PART_BITS, part).toString(), "240." + part + ".0.0/16");
    }

    /** The first 96 bits of workloads' or services' IPv6 twins below a base of 48: of each range others. */
    String twin(String base) {
        if (workloads.equals(DEFAULT.workloads)) {
            return base + "::";
        }
        int network = Cidr.of("workload range", workloads).network();
        String low = (network & 0xffff) == 0 ? "" : ":" + Integer.toHexString(network & 0xffff);
        return base + ":" + Integer.toHexString(network >>> 16) + low + "::";
    }
}
