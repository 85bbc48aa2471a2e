package dev.tulle.samples.bookinfo;

/** details: the facts about a book. {@code GET /details/0}, {@code GET /health}. */
public final class Details {
    private static final String BODY = """
            {"id": 0, "author": "William Shakespeare", "year": 1595, "type": "paperback", "pages": 200, \
            "publisher": "PublisherA", "language": "English", \
            "ISBN-10": "1234567890", "ISBN-13": "123-1234567890"}""";

    private Details() {}

    /** Serves until SIGTERM. */
    public static void main(String[] args) {
        ProductServer.run("details", () -> requestHeaders -> Reply.ok(BODY));
    }
}
