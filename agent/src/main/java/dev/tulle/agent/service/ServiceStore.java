package dev.tulle.agent.service;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.reflect.TypeToken;
import dev.tulle.model.Service;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the services that this node's workloads use, so that an agent that restarts while the control plane is away
 * answers the same names. Losing it costs nothing but that, so a damaged file is put aside. Owner thread only.
 */
public final class ServiceStore {
    private static final System.Logger LOG = System.getLogger(ServiceStore.class.getName());
    private static final Gson GSON = new Gson();

    private final Path file;

    /** For a state directory that exists. */
    public ServiceStore(Path stateDirectory) {
        this.file = stateDirectory.resolve("services.json");
    }

    List<Service> load() {
        if (!Files.exists(file)) {
            return List.of();
        }
        try {
            @Nullable
            List<Service> services = GSON.fromJson(Files.readString(file), new TypeToken<List<Service>>() {}.getType());
            return services == null ? List.of() : services;
        } catch (IOException | JsonParseException | NullPointerException e) {
            LOG.log(System.Logger.Level.WARNING, file + ": cannot be used: " + e.getMessage());
            return List.of();
        }
    }

    void save(List<Service> services) {
        try {
            Path fresh = file.resolveSibling("services.json.new");
            Files.writeString(fresh, GSON.toJson(services));
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, file + ": cannot be written: " + e.getMessage());
        }
    }
}
