import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Gateway;
import org.hyperledger.fabric.client.SubmittedTransaction;
import org.hyperledger.fabric.client.Transaction;
import org.hyperledger.fabric.client.identity.Identity;

// Clients that aren't who they say, or may not do what they ask for.
final class Clients {
    // Claim is an identity as a client claims it.
    private static final class Claim implements Identity {
        private final String mspId;
        private final byte[] credentials;

        Claim(String mspId, byte[] credentials) {
            this.mspId = mspId;
            this.credentials = credentials;
        }

        @Override
        public String getMspId() {
            return mspId;
        }

        @Override
        public byte[] getCredentials() {
            return credentials;
        }
    }

    static void run(Network network) throws Exception {
        Network.User user = network.user("Org1MSP", "User1");
        Network.User admin = network.user("Org1MSP", "Admin");
        Network.User foreign = network.foreign();
        wrongSignatures(network, admin);
        Map<String, Network.User> clients = new LinkedHashMap<>();
        clients.put("wrong signature", new Network.User(user.identity, admin.signer));
        clients.put("foreign organization", foreign);
        clients.put("foreign certificate", new Network.User(new Claim("Org1MSP", foreign.identity.getCredentials()), foreign.signer));
        clients.put("expired certificate", network.user("Org1MSP", "Expired"));
        clients.put("no certificate", new Network.User(new Claim("Org1MSP", "not PEM".getBytes(StandardCharsets.UTF_8)), user.signer));
        clients.put("other organization", network.user("Org2MSP", "User1"));
        clients.put("administrator", admin);
        for (Map.Entry<String, Network.User> c : clients.entrySet()) {
            org.hyperledger.fabric.client.Network channel = network.gateway("Org1MSP", c.getValue()).getNetwork(network.channel());
            Contract contract = channel.getContract("any");
            Step.step(c.getKey() + ": evaluate", () -> contract.evaluateTransaction("who"));
            Step.step(c.getKey() + ": endorse", () -> contract.submitTransaction("who"));
            Step.step(c.getKey() + ": events", () -> Failures.opened(channel.newChaincodeEventsRequest("any").startBlock(0).build().getEvents()));
            Step.step(c.getKey() + ": blocks", () -> Failures.opened(channel.newBlockEventsRequest().startBlock(0).build().getEvents()));
            Step.step(c.getKey() + ": filtered blocks", () -> Failures.opened(channel.newFilteredBlockEventsRequest().startBlock(0).build().getEvents()));
        }
    }

    private static void wrongSignatures(Network network, Network.User admin) throws Exception {
        Gateway gateway = network.gateway("Org1MSP");
        Contract any = gateway.getNetwork(network.channel()).getContract("any");
        Step.step("wrong signature: submit", () -> {
            Transaction endorsed = any.newProposal("put").addArguments("s", "1").build().endorse();
            return gateway.newSignedTransaction(endorsed.getBytes(), admin.signer.sign(endorsed.getDigest())).submitAsync();
        });
        Step.step("wrong signature: commit status", () -> {
            SubmittedTransaction submitted = any.newProposal("put").addArguments("s", "1").build().endorse().submitAsync();
            return gateway.newSignedCommit(submitted.getBytes(), admin.signer.sign(submitted.getDigest())).getStatus();
        });
    }
}
