package dev.tulle.samples.bookinfo;

import com.sun.net.httpserver.Headers;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * reviews: what two readers think of a book. {@code GET /reviews/0}, {@code GET /health}.
 *
 * <p>{@code SERVICE_VERSION} chooses what the program is: v1 never calls ratings; v2 calls it and
 * gives black stars; v3 calls it and gives red stars.
 */
public final class Reviews {
    private static final List<Review> REVIEWS = List.of(
            new Review(
                    "Reviewer1",
                    "I laughed out loud on a quiet train. The mix-ups pile up so fast that you stop"
                            + " keeping count and simply enjoy the ride."),
            new Review(
                    "Reviewer2",
                    "Funny and quick, though it has less depth than the later comedies. See it on"
                            + " stage if you can."));

    private final String version;
    private final Optional<Stars> stars;

    private Reviews(String version, Optional<Stars> stars) {
        this.version = version;
        this.stars = stars;
    }

    private record Review(String reviewer, String text) {}

    private record Stars(String color, RatingsClient ratings) {}

    /** Serves until SIGTERM. */
    public static void main(String[] args) {
        ProductServer.run("reviews", Reviews::fromEnvironment);
    }

    private static ProductServer.Endpoint fromEnvironment() {
        String version = Environment.serviceVersion();
        Optional<Stars> stars =
                switch (version) {
                    case "v1" -> Optional.empty();
                    case "v2" -> Optional.of(new Stars("black", RatingsClient.fromEnvironment()));
                    case "v3" -> Optional.of(new Stars("red", RatingsClient.fromEnvironment()));
                    default -> throw Environment.refuse("SERVICE_VERSION", version, "v1, v2 or v3");
                };
        return new Reviews(version, stars)::product;
    }

    private Reply product(Headers requestHeaders) {
        Map<String, Integer> ratings =
                stars.map(s -> s.ratings().ratings(requestHeaders)).orElse(Map.of());
        StringBuilder json = new StringBuilder(512)
                .append("{\"id\": \"0\", \"version\": \"")
                .append(version)
                .append("\", \"podname\": \"reviews-")
                .append(version)
                .append("\", \"reviews\": [");
        for (int i = 0; i < REVIEWS.size(); i++) {
            Review review = REVIEWS.get(i);
            json.append(i == 0 ? "" : ", ")
                    .append("{\"reviewer\": \"")
                    .append(review.reviewer())
                    .append("\", \"text\": \"")
                    .append(review.text())
                    .append('"');
            stars.ifPresent(s -> json.append(", \"rating\": ").append(rating(s, ratings.get(review.reviewer()))));
            json.append('}');
        }
        return Reply.ok(json.append("]}").toString());
    }

    private static String rating(Stars stars, Integer count) {
        return count == null
                ? "{\"error\": \"Ratings service is currently unavailable\"}"
                : "{\"stars\": " + count + ", \"color\": \"" + stars.color() + "\"}";
    }
}
