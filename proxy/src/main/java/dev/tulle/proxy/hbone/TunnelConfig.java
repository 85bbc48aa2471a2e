package dev.tulle.proxy.hbone;

import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a {@link TunnelChannel} has of the options of a socket: whether its halves end apart, and whether it ends by a reset. */
final class TunnelConfig extends DefaultChannelConfig {
    private boolean halfClosure;
    private boolean resets;

    TunnelConfig(TunnelChannel channel) {
        super(channel);
    }

    boolean hasHalves() {
        return halfClosure;
    }

    /** True when the end is to be told as a reset. */
    boolean resets() {
        return resets;
    }

    @Override
    public Map<ChannelOption<?>, Object> getOptions() {
        return getOptions(super.getOptions(), ChannelOption.ALLOW_HALF_CLOSURE, ChannelOption.SO_LINGER);
    }

    // The option says of what type its value is.
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    @Override
    public <T> @Nullable T getOption(ChannelOption<T> option) {
        if (option.equals(ChannelOption.ALLOW_HALF_CLOSURE)) {
            return (T) Boolean.valueOf(halfClosure);
        }
        if (option.equals(ChannelOption.SO_LINGER)) {
            return (T) Integer.valueOf(resets ? 0 : -1);
        }
        return super.getOption(option);
    }

    @Override
    public <T> boolean setOption(ChannelOption<T> option, T value) {
        if (option.equals(ChannelOption.ALLOW_HALF_CLOSURE)) {
            halfClosure = Boolean.TRUE.equals(value);
            return true;
        }
        if (option.equals(ChannelOption.SO_LINGER)) {
            resets = Integer.valueOf(0).equals(value);
            return true;
        }
        return super.setOption(option, value);
    }
}
