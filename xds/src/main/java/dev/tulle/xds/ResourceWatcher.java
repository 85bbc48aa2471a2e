package dev.tulle.xds;

/**
 * Told what becomes of one watched resource. All methods are called on the client's single owner thread, one at a time,
 * and must not block. {@link UnusableResourceException} refuses the value; any other exception is logged and refuses it too.
 *
 * @param <T> the model type
 */
public interface ResourceWatcher<T> {
    /** The resource exists with this value; called only when the value is the first or differs from the last one. */
    void onChanged(T value);

    /**
     * The control plane says that the resource does not exist (any more). Never called because the control plane is
     * away: then the last value stays.
     */
    void onAbsent();

    /**
     * Something is wrong, keep what you have: the control plane is away, or it sent a version of the resource that cannot
     * be used.
     */
    void onTrouble(String reason);
}
