package dev.tulle.agent.datapath;

/**
 * How many connections of one workload to another the kernel has balanced so far, and their bytes.
 *
 * @param source number of the calling workload; 0 with both others: all pairs that the kernel had no room for
 * @param destination number of the workload that was called
 * @param service the service's number in the kernel's maps, 0 when the workload was called by its own address
 * @param opened connections whose other end has existed
 * @param closed connections of which both ends have closed
 * @param sent bytes from the callers, of closed connections
 * @param received bytes to the callers, of closed connections
 */
public record TcpCount(int source, int destination, int service, long opened, long closed, long sent, long received) {
    /** What came since an earlier count of the same. */
    public TcpCount since(TcpCount before) {
        return new TcpCount(
                source,
                destination,
                service,
                opened - before.opened,
                closed - before.closed,
                sent - before.sent,
                received - before.received);
    }
}
