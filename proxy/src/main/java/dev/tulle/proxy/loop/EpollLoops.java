package dev.tulle.proxy.loop;

import io.netty.channel.EventLoop;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/**
 * Epoll event loops that count their passes and never forget a socket. Netty 4.2.18 takes a socket that waits for nothing out of the epoll set
 * but believes that it is still in it: a connection whose client has ended its half could not be waited for again, and
 * the first write that had to wait would break it (ENOENT). Here such a socket stays registered, waiting edge-triggered
 * for errors only.
 */
public final class EpollLoops {
    private final Map<ThreadAwareExecutor, Handler> handlers = new ConcurrentHashMap<>();

    /** Makes the handlers of event loops. */
    public IoHandlerFactory factory() {
        IoHandlerFactory epoll = EpollIoHandler.newFactory();
        return new IoHandlerFactory() {
            @Override
            public IoHandler newHandler(ThreadAwareExecutor executor) {
                Handler handler = new Handler(epoll.newHandler(executor));
                handlers.put(executor, handler);
                return handler;
            }

            @Override
            public boolean isChangingThreadSupported() {
                return epoll.isChangingThreadSupported();
            }
        };
    }

    /** How often a loop has looked at its sockets; to be asked on the loop. */
    public LongSupplier passes(EventLoop loop) {
        Handler handler = handlers.get((ThreadAwareExecutor) loop);
        if (handler == null) {
            throw new IllegalArgumentException("not a loop of these: " + loop);
        }
        return () -> handler.passes;
    }

    private static final class Handler implements IoHandler {
        private final IoHandler epoll;
        private long passes;

        Handler(IoHandler epoll) {
            this.epoll = epoll;
        }

        @Override
        public void initialize() {
            epoll.initialize();
        }

        @Override
        public int run(IoHandlerContext context) {
            passes++;
            return epoll.run(context);
        }

        @Override
        public void prepareToDestroy() {
            epoll.prepareToDestroy();
        }

        @Override
        public void destroy() {
            epoll.destroy();
        }

        @Override
        public IoRegistration register(IoHandle handle) throws Exception {
            return new Registration(epoll.register(handle));
        }

        @Override
        public void wakeup() {
            epoll.wakeup();
        }

        @Override
        public boolean isCompatible(Class<? extends IoHandle> handleType) {
            return epoll.isCompatible(handleType);
        }
    }

    private record Registration(IoRegistration epoll) implements IoRegistration {
        // The interface is Netty's.
        @SuppressWarnings("TypeParameterUnusedInFormals")
        @Override
        public <T> T attachment() {
            return epoll.attachment();
        }

        @Override
        public long submit(IoOps operations) {
            boolean nothing = operations instanceof EpollIoOps asked && asked.value() == EpollIoOps.NONE.value();
            return epoll.submit(nothing ? EpollIoOps.EPOLLET : operations);
        }

        @Override
        public boolean isValid() {
            return epoll.isValid();
        }

        @Override
        public boolean cancel() {
            return epoll.cancel();
        }
    }
}
