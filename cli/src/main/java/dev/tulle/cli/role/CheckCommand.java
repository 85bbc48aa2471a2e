package dev.tulle.cli.role;

import dev.tulle.agent.HostCheck;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.command.BaseCommand;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Whether this host can run the mesh, and in which tier; changes nothing. */
@Command(
        name = "check",
        description = "Shows whether this host can run the mesh, and in which tier. Changes nothing. Status 1 when it"
                + " cannot.")
public final class CheckCommand extends BaseCommand {
    @Mixin
    private final RoleOptions options = new RoleOptions();

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public CheckCommand() {}

    @Override
    public Integer call() {
        HostCheck.Report report = HostCheck.run(options.agent());
        output.print(out(), report.toJson(), () -> text(report));
        return report.best().isPresent() ? 0 : CommandFailure.NO;
    }

    private static String text(HostCheck.Report report) {
        Table checks = new Table("CHECK", "OK", "FOUND", "WHAT TO DO");
        report.checks()
                .forEach(check -> checks.row(check.name(), check.ok() ? "yes" : "no", check.detail(), check.remedy()));
        Table tiers = new Table("TIER", "POSSIBLE", "REASON");
        report.tiers().forEach(tier -> tiers.row(tier.tier().word(), tier.possible() ? "yes" : "no", tier.reason()));
        String verdict = report.best()
                .map(best -> "the mesh runs here, at best in tier " + best.word())
                .orElse("the mesh cannot run here");
        return checks.text(Output.colour()) + "\n" + tiers.text(Output.colour()) + "\n" + verdict + "\n";
    }
}
