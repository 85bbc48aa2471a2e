package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.authority.AuthorityStatus;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.identity.authority.RefusedSignatureException;
import java.io.IOException;
import java.math.BigInteger;
import java.util.List;
import java.util.regex.Pattern;

/** The authority's part of the local API. Runs on the connections' threads. */
final class CertificateApi {
    private static final Pattern SERIAL = Pattern.compile("[0-9a-fA-F]{1,40}+");

    private final CertificateAuthority authority;

    CertificateApi(CertificateAuthority authority) {
        this.authority = authority;
    }

    JsonElement show() {
        return RecordJson.of(authority.status());
    }

    JsonElement rotate() throws ApiFailure {
        try {
            return RecordJson.of(authority.rotate());
        } catch (RefusedSignatureException e) {
            throw new ApiFailure("refused", "the root is not rotated: " + e.getMessage());
        } catch (IOException e) {
            throw new ApiFailure("not-written", "the root is not rotated: " + e.getMessage());
        }
    }

    JsonElement revoke(JsonObject params) throws ApiFailure {
        String which = ControlApi.text(params, "which");
        List<AuthorityStatus.RevokedLeaf> revoked;
        try {
            if (SERIAL.matcher(which).matches()) {
                revoked = authority.revoke(new BigInteger(which, 16));
            } else {
                revoked = authority.revoke(SpiffeId.parse(
                        which.startsWith("spiffe://") ? which : "spiffe://" + authority.trustDomain() + "/" + which));
            }
        } catch (IllegalArgumentException e) {
            throw new ApiFailure(
                    "bad-request",
                    e.getMessage() + "; expected an identity such as spiffe://" + authority.trustDomain()
                            + "/ns/default/sa/reviews, or the hexadecimal number of a certificate");
        } catch (IOException e) {
            throw new ApiFailure("not-written", "nothing is revoked: " + e.getMessage());
        }
        if (revoked.isEmpty()) {
            throw new ApiFailure("not-found", "no certificate in use is " + which + "'s, or all of them are revoked");
        }
        JsonArray all = new JsonArray();
        revoked.forEach(one -> all.add(RecordJson.of(one)));
        return all;
    }
}
