import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.File;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Signature;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Gateway;
import org.hyperledger.fabric.client.Hash;
import org.hyperledger.fabric.client.Proposal;
import org.hyperledger.fabric.client.SubmittedTransaction;
import org.hyperledger.fabric.client.identity.Identities;
import org.hyperledger.fabric.client.identity.Identity;
import org.hyperledger.fabric.client.identity.Signer;
import org.hyperledger.fabric.client.identity.Signers;
import org.hyperledger.fabric.client.identity.X509Identity;

// How a network is reached: what its description says, as connections and identities.
final class Network implements AutoCloseable {
    private final JsonObject target;
    private final Map<String, ManagedChannel> connections = new LinkedHashMap<>();

    Network(String description) throws Exception {
        try (Reader reader = Files.newBufferedReader(Path.of(description))) {
            target = JsonParser.parseReader(reader).getAsJsonObject();
        }
    }

    // User is who a client is, and what signs for them.
    static final class User {
        Identity identity;
        Signer signer;
        Hash hash = Hash.SHA256;

        User(Identity identity, Signer signer) {
            this.identity = identity;
            this.signer = signer;
        }
    }

    User user(String mspId, String name) throws Exception {
        return user(mspId, organization(mspId).getAsJsonObject("users").getAsJsonObject(name));
    }

    User foreign() throws Exception {
        JsonObject foreign = target.getAsJsonObject("foreign");
        return user(foreign.get("mspid").getAsString(), foreign);
    }

    private static User user(String mspId, JsonObject files) throws Exception {
        try (Reader cert = Files.newBufferedReader(file(files, "cert")); Reader key = Files.newBufferedReader(file(files, "key"))) {
            PrivateKey privateKey = Identities.readPrivateKey(key);
            Identity identity = new X509Identity(mspId, Identities.readX509Certificate(cert));
            if (!privateKey.getAlgorithm().startsWith("Ed")) {
                return new User(identity, Signers.newPrivateKeySigner(privateKey));
            }
            User user = new User(identity, message -> { // the client has no signer for such a key
                Signature signature = Signature.getInstance("Ed25519");
                signature.initSign(privateKey);
                signature.update(message);
                return signature.sign();
            });
            user.hash = Hash.NONE;
            return user;
        }
    }

    private static Path file(JsonObject of, String name) {
        return Path.of(of.get(name).getAsString());
    }

    String channel() {
        return target.get("channel").getAsString();
    }

    private JsonObject organization(String mspId) {
        for (JsonElement o : target.getAsJsonArray("organizations")) {
            if (o.getAsJsonObject().get("mspid").getAsString().equals(mspId)) {
                return o.getAsJsonObject();
            }
        }
        throw new IllegalArgumentException(mspId);
    }

    // dial connects to an organization's peer, where that has not been done yet, and shows it the client's certificate.
    private ManagedChannel dial(String mspId) throws Exception {
        ManagedChannel connection = connections.get(mspId);
        if (connection != null) {
            return connection;
        }
        JsonObject o = organization(mspId);
        JsonObject client = target.getAsJsonObject("client");
        File cert = file(client, "cert").toFile();
        connection = NettyChannelBuilder.forTarget(o.get("peer").getAsString())
            .sslContext(GrpcSslContexts.forClient().trustManager(file(o, "tlsRoot").toFile()).keyManager(cert, file(client, "key").toFile()).build())
            .overrideAuthority(o.get("serverName").getAsString())
            .build();
        connections.put(mspId, connection);
        return connection;
    }

    // gateway is the gateway of an organization's peer, for one of the organization's users.
    Gateway gateway(String mspId) throws Exception {
        return gateway(mspId, user(mspId, "User1"));
    }

    // gateway is for somebody else, who may have no signer.
    Gateway gateway(String mspId, User user) throws Exception {
        byte[] shown;
        try (Reader cert = Files.newBufferedReader(file(target.getAsJsonObject("client"), "cert"))) {
            shown = MessageDigest.getInstance("SHA-256").digest(Identities.readX509Certificate(cert).getEncoded());
        }
        Gateway.Builder builder = Gateway.newInstance().connection(dial(mspId)).identity(user.identity).hash(user.hash).tlsClientCertificateHash(shown);
        return user.signer == null ? builder.connect() : builder.signer(user.signer).connect();
    }

    org.hyperledger.fabric.client.Network on(String mspId) throws Exception {
        return gateway(mspId).getNetwork(channel());
    }

    // contract is a chaincode as an organization's user sees it.
    Contract contract(String mspId, String chaincode) throws Exception {
        return on(mspId).getContract(chaincode);
    }

    // submit has a transaction committed by the peers of all organizations, before something else is asked of any of them.
    Object submit(String mspId, Proposal.Builder proposal) throws Exception {
        SubmittedTransaction submitted = proposal.build().endorse().submitAsync();
        byte[] signature = user(mspId, "User1").signer.sign(submitted.getDigest());
        for (JsonElement o : target.getAsJsonArray("organizations")) {
            gateway(o.getAsJsonObject().get("mspid").getAsString()).newSignedCommit(submitted.getBytes(), signature).getStatus();
        }
        int code = submitted.getStatus().getCode().getNumber();
        return code == 0 ? submitted.getResult() : Step.map("code", code);
    }

    @Override
    public void close() throws Exception {
        for (ManagedChannel c : connections.values()) {
            c.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
        }
        connections.clear();
    }
}
