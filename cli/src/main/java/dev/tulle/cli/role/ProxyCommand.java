package dev.tulle.cli.role;

import dev.tulle.proxy.ProxyOptions;
import java.util.List;
import picocli.CommandLine.Command;

/** The node proxy alone. */
@Command(name = "proxy", description = "Runs the node proxy alone, as whatever user starts it.")
public final class ProxyCommand extends ProxyRole {
    /** Makes the command. */
    public ProxyCommand() {
        super(RunFolder.HAND_OVER);
    }

    @Override
    ProxyOptions.Builder serving(RoleOptions of) {
        return ProxyOptions.builder()
                .outbound(List.of("127.0.0.1", "::1"), of.port(15001))
                .explicit("127.0.0.1", of.port(15080))
                .probes("127.0.0.1", of.port(15021), of.port(15090))
                .outboundPolicy(
                        of.allowsAny()
                                ? ProxyOptions.OutboundPolicy.ALLOW_ANY
                                : ProxyOptions.OutboundPolicy.REGISTRY_ONLY);
    }
}
