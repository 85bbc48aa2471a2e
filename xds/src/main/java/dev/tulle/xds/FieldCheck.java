package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import dev.tulle.xds.FieldTable.Field;
import dev.tulle.xds.FieldTable.MessageFields;
import dev.tulle.xds.FieldTable.Shape;
import dev.tulle.xds.FieldTable.Use;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds the fields of a resource that no decoder honours, by their paths. Looks at the bytes, as the decoders' own messages
 * have only the fields that they read. Not thread-safe; one object checks one resource.
 */
final class FieldCheck {
    private static final String ANY = "google.protobuf.Any";

    /** Fields that a refusal names. */
    private static final int MOST_NAMED = 10;

    private final List<String> found = new ArrayList<>();

    private FieldCheck() {}

    /**
     * The paths of the fields that are set and not honoured; as many as a sentence can hold.
     *
     * @throws IOException when the bytes are no message
     */
    static List<String> unhonoured(Any resource) throws IOException {
        FieldCheck check = new FieldCheck();
        Optional<MessageFields> fields = fieldsOf(resource);
        if (fields.isPresent()) {
            check.message(fields.get(), resource.getValue(), "");
        }
        return check.found;
    }

    private static Optional<MessageFields> fieldsOf(Any any) {
        return FieldTable.INSTANCE.message(
                any.getTypeUrl().substring(any.getTypeUrl().lastIndexOf('/') + 1));
    }

    private void add(String path) {
        if (found.size() < MOST_NAMED && !found.contains(path)) {
            found.add(path);
        }
    }

    private void message(MessageFields message, ByteString bytes, String path) throws IOException {
        if (message.open()) {
            return;
        }
        CodedInputStream in = bytes.newCodedInput();
        Map<Integer, Integer> counts = new HashMap<>();
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            int number = WireFormat.getTagFieldNumber(tag);
            Field field = message.find(number);
            if (field == null || field.use() == Use.REFUSED) {
                add(path + (field == null ? "field " + number + " of " + message.name() : field.name()));
                in.skipField(tag);
            } else if (field.use() == Use.IGNORED || field.type().isEmpty()) {
                in.skipField(tag);
            } else if (WireFormat.getTagWireType(tag) != WireFormat.WIRETYPE_LENGTH_DELIMITED) {
                add(path + field.name());
                in.skipField(tag);
            } else {
                int index = counts.merge(number, 1, Integer::sum) - 1;
                String place = path + field.name() + (field.shape() == Shape.LIST ? "[" + index + "]" : "");
                held(field, in.readBytes(), place);
            }
        }
    }

    private void held(Field field, ByteString bytes, String place) throws IOException {
        if (field.shape() == Shape.MAP) {
            entry(field, bytes, place);
        } else {
            value(field, bytes, place);
        }
    }

    /** An entry of a map: the key is field 1, the value field 2. */
    private void entry(Field field, ByteString bytes, String place) throws IOException {
        CodedInputStream in = bytes.newCodedInput();
        String key = "";
        ByteString value = ByteString.EMPTY;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case (1 << 3) | WireFormat.WIRETYPE_LENGTH_DELIMITED -> key = in.readString();
                case (2 << 3) | WireFormat.WIRETYPE_LENGTH_DELIMITED -> value = in.readBytes();
                default -> in.skipField(tag);
            }
        }
        value(field, value, place + "[" + key + "]");
    }

    private void value(Field field, ByteString bytes, String place) throws IOException {
        if (!field.type().equals(ANY)) {
            MessageFields fields = FieldTable.INSTANCE
                    .message(field.type())
                    .orElseThrow(() -> new IllegalStateException("no fields are listed for " + field.type()));
            message(fields, bytes, place + ".");
            return;
        }
        Any any = Any.parseFrom(bytes);
        Optional<MessageFields> fields = fieldsOf(any);
        if (fields.isPresent()) {
            message(fields.get(), any.getValue(), place + ".");
        } else {
            add(place + " of type " + any.getTypeUrl());
        }
    }
}
