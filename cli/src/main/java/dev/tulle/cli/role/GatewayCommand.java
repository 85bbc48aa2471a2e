package dev.tulle.cli.role;

import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.proxy.ProxyOptions;
import java.util.List;
import picocli.CommandLine.Command;

/** The mesh's edge alone. */
@Command(
        name = "gateway",
        description = "Runs the mesh's edge alone, as whatever user starts it: what Gateways ask for.")
public final class GatewayCommand extends ProxyRole {
    /** Makes the command. */
    public GatewayCommand() {
        super(HeldPorts.GATEWAY_HAND_OVER);
    }

    @Override
    ProxyOptions.Builder serving(RoleOptions of) {
        return ProxyOptions.builder()
                .role(ProxyOptions.Role.GATEWAY)
                .outbound(List.of(), -1)
                .explicit("127.0.0.1", -1)
                .probes("127.0.0.1", of.port(15022), of.port(15091));
    }
}
