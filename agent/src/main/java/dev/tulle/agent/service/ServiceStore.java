package dev.tulle.agent.service;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.reflect.TypeToken;
import dev.tulle.common.StateFile;
import dev.tulle.model.Service;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the services that this node's workloads use, so that an agent that restarts while the control plane is away
 * answers the same names. Owner thread only.
 */
public final class ServiceStore {
    private static final System.Logger LOG = System.getLogger(ServiceStore.class.getName());
    private static final Gson GSON =
            new GsonBuilder().registerTypeAdapterFactory(new WholeRecords()).create();

    private final StateFile file;
    private String trouble = "";

    /** For a state directory that exists. */
    public ServiceStore(Path stateDirectory) {
        this.file = new StateFile(stateDirectory.resolve("services.json"), "services", 1);
    }

    List<Service> load() {
        StateFile.Loaded loaded = file.load();
        trouble = loaded.trouble();
        try {
            return decode(loaded.text().orElse("[]"));
        } catch (RuntimeException e) {
            // A record that refuses its content reaches us in an exception that is none of the library's own kinds.
            trouble = file.path() + " is whole and cannot be used (" + e.getMessage() + "): begun anew";
            LOG.log(System.Logger.Level.WARNING, trouble);
            return List.of();
        }
    }

    /** Services out of the file's text; an exception when they are none. */
    static List<Service> decode(String text) {
        @Nullable List<Service> services = GSON.fromJson(text, new TypeToken<List<Service>>() {}.getType());
        return services == null ? List.of() : List.copyOf(services);
    }

    static String encode(List<Service> services) {
        return GSON.toJson(services);
    }

    void save(List<Service> services) {
        try {
            file.save(encode(services));
            trouble = "";
        } catch (IOException e) {
            trouble = file.path() + " cannot be written: " + e.getMessage();
            LOG.log(System.Logger.Level.WARNING, trouble);
        }
    }

    /** What is wrong with the file, for people; empty when nothing is. */
    public String trouble() {
        return trouble;
    }
}
