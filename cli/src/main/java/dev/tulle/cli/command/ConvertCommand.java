package dev.tulle.cli.command;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.config.Problem;
import dev.tulle.config.RouteRuleConverter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Turns the RouteRules of 2018 into today's kinds, on standard output. */
@Command(
        name = "convert",
        description =
                "Prints RouteRules (config.istio.io/v1alpha2) as VirtualServices and DestinationRules. Files given"
                        + " together belong together; status 1 when something could not be converted.")
public final class ConvertCommand extends BaseCommand {
    @Parameters(arity = "1..*", paramLabel = "FILE|DIR|-", description = "What to convert.")
    private List<String> arguments = new ArrayList<>();

    /** Makes the command. */
    public ConvertCommand() {}

    @Override
    public Integer call() {
        Map<String, String> texts = new LinkedHashMap<>();
        Manifests.read(arguments).forEach(manifest -> texts.put(manifest.name(), manifest.content()));
        RouteRuleConverter.Conversion conversion = RouteRuleConverter.convert(texts);
        out().print(conversion.yaml());
        if (!conversion.isClean()) {
            throw new CommandFailure(
                    CommandFailure.NO,
                    "not everything could be converted:",
                    conversion.problems().stream().map(Problem::toString).toList());
        }
        return 0;
    }
}
