package dev.tulle.agent.datapath;

import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfObject;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Hooks that are treated as if the kernel refused them, so that a test can force the failure of every single one: named
 * by the environment variable {@value #VARIABLE}, separated by commas; {@code connect4} is refused at load, {@code
 * connect4@attach} at attach, {@code tc_egress@tcx} at attach by tcx, as before kernel 6.6. Meant for tests only; said in the report of the hooks.
 */
final class RefusedHooks {
    /** The environment variable. */
    static final String VARIABLE = "TULLE_REFUSE_HOOKS";

    private static final String AT_ATTACH = "@attach";
    private static final String AT_TCX = "@tcx";

    private RefusedHooks() {}

    private static List<String> named() {
        // A property too: a test cannot change the environment of its own process.
        String names = System.getProperty(VARIABLE, System.getenv().getOrDefault(VARIABLE, ""));
        return Arrays.stream(names.split(","))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .toList();
    }

    /** Keeps the programs of refused hooks out of an object that is not loaded yet. */
    static void keepOut(BpfObject object) {
        for (Hook hook : Hook.values()) {
            Optional<String> refused = atLoad(hook);
            if (refused.isPresent()) {
                if (hook.required()) {
                    throw new BpfException("program " + hook.program() + ": " + refused.get());
                }
                if (object.programSpecs().containsKey(hook.program())) {
                    object.autoload(hook.program(), false);
                }
            }
        }
    }

    /** Why the program of a hook is not loaded; empty when it is. */
    static Optional<String> atLoad(Hook hook) {
        return named().contains(hook.word()) ? Optional.of("refused on purpose by " + VARIABLE) : Optional.empty();
    }

    /** Throws when the hook is refused at attach. */
    static void checkAttach(Hook hook) {
        check(hook, AT_ATTACH, "");
    }

    /** Throws when the hook is refused at attach by tcx. */
    static void checkTcx(Hook hook) {
        check(hook, AT_TCX, " by tcx");
    }

    private static void check(Hook hook, String when, String how) {
        if (named().contains(hook.word() + when)) {
            throw new BpfException("cannot attach " + hook.program() + how + ": refused on purpose by " + VARIABLE);
        }
    }
}
