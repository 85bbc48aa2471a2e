package dev.tulle.common.pki;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Text of PEM (RFC 7468), and where it is from.
 *
 * @param where a file, or what else its owner knows it by
 */
public record Pem(String where, String text) {
    /** Bytes of a file; every list of authorities in use is far below. */
    private static final int MAX_BYTES = 4 << 20;

    // Labels are short and bodies hold no dash: nothing to go back for.
    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z0-9 ]{1,40}+)-----([^-]*+)-----END \\1-----", Pattern.DOTALL);

    /**
     * One block.
     *
     * @param label such as {@code CERTIFICATE}
     * @param body what is between its lines
     */
    record Block(String label, String body) {
        /** True when it has to be deciphered first, as PKCS #8 or OpenSSL's own format says. */
        boolean isEncrypted() {
            return label.startsWith("ENCRYPTED ") || body.contains("ENCRYPTED");
        }
    }

    /** Reads a file; blocks. */
    public static Pem read(Path file) throws UnusableCertificateException {
        try {
            // A pipe would be waited for, by everybody whose files are read by the same thread.
            if (!Files.readAttributes(file, BasicFileAttributes.class).isRegularFile()) {
                throw new UnusableCertificateException(file.toString(), "cannot be read: it is not a regular file");
            }
            long size = Files.size(file);
            if (size > MAX_BYTES) {
                throw new UnusableCertificateException(
                        file.toString(), size + " bytes, expected at most " + MAX_BYTES + " of PEM");
            }
            return new Pem(file.toString(), new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1));
        } catch (NoSuchFileException e) {
            throw new UnusableCertificateException(file.toString(), "there is no such file");
        } catch (AccessDeniedException e) {
            throw new UnusableCertificateException(
                    file.toString(), "may not be read by the user " + System.getProperty("user.name"));
        } catch (IOException e) {
            throw new UnusableCertificateException(file.toString(), "cannot be read: " + e.getMessage());
        }
    }

    List<Block> blocks() {
        List<Block> blocks = new ArrayList<>();
        Matcher matcher = BLOCK.matcher(text);
        while (matcher.find()) {
            blocks.add(new Block(matcher.group(1), matcher.group(2)));
        }
        // OpenSSL's encrypted keys have lines with dashes ("DEK-Info: AES-256-CBC,…") before the body.
        if (blocks.isEmpty() && text.contains("-----BEGIN ") && text.contains("ENCRYPTED")) {
            blocks.add(new Block("ENCRYPTED PRIVATE KEY", ""));
        }
        return blocks;
    }

    byte[] bytes(Block block) throws UnusableCertificateException {
        try {
            return Base64.getMimeDecoder().decode(block.body());
        } catch (IllegalArgumentException e) {
            throw new UnusableCertificateException(where, "the block " + block.label() + " is no base64");
        }
    }

    /** What there is in it, for people. */
    String found() {
        List<String> labels = blocks().stream().map(Block::label).distinct().toList();
        return labels.isEmpty() ? "no PEM at all" : String.join(", ", labels);
    }

    /** Without the text, which may be a secret. */
    @Override
    public String toString() {
        return where;
    }
}
