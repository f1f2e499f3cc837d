import org.hyperledger.fabric.client.BlockAndPrivateDataEventsRequest;
import org.hyperledger.fabric.client.BlockEventsRequest;
import org.hyperledger.fabric.client.ChaincodeEvent;
import org.hyperledger.fabric.client.ChaincodeEventsRequest;
import org.hyperledger.fabric.client.CloseableIterator;
import org.hyperledger.fabric.client.FilteredBlockEventsRequest;
import org.hyperledger.fabric.client.Gateway;
import org.hyperledger.fabric.client.Proposal;
import org.hyperledger.fabric.client.Status;
import org.hyperledger.fabric.client.SubmittedTransaction;
import org.hyperledger.fabric.client.Transaction;
import org.hyperledger.fabric.protos.common.Block;
import org.hyperledger.fabric.protos.peer.BlockAndPrivateData;
import org.hyperledger.fabric.protos.peer.FilteredBlock;

// Requests that are signed where the client's key is, and sent by a gateway that has none.
final class Offline {
    static void run(Network network) throws Exception {
        Network.User user = network.user("Org1MSP", "User1");
        Network.User keyless = new Network.User(user.identity, null);
        keyless.hash = user.hash;
        Gateway gateway = network.gateway("Org1MSP", keyless);
        org.hyperledger.fabric.client.Network channel = gateway.getNetwork(network.channel());
        long[] block = new long[1];

        Step.step("unsigned", () -> channel.getContract("any").evaluateTransaction("get", "a"));
        Step.step("sign an evaluation elsewhere", () -> {
            Proposal p = channel.getContract("any").newProposal("get").addArguments("a").build();
            return gateway.newSignedProposal(p.getBytes(), user.signer.sign(p.getDigest())).evaluate();
        });
        Step.step("sign a transaction elsewhere", () -> {
            Proposal unsigned = channel.getContract("any").newProposal("event").addArguments("offline", "payload", "o").build();
            Transaction endorsed = gateway.newSignedProposal(unsigned.getBytes(), user.signer.sign(unsigned.getDigest())).endorse();
            Transaction transaction = gateway.newSignedTransaction(endorsed.getBytes(), user.signer.sign(endorsed.getDigest()));
            SubmittedTransaction submitted = transaction.submitAsync();
            Status status = gateway.newSignedCommit(submitted.getBytes(), user.signer.sign(submitted.getDigest())).getStatus();
            block[0] = status.getBlockNumber();
            return Step.map("result", Step.readable(transaction.getResult()), "code", status.getCode().getNumber(), "mspId", user.identity.getMspId());
        });
        Step.step("sign a request for events elsewhere", () -> {
            ChaincodeEventsRequest r = channel.newChaincodeEventsRequest("any").startBlock(block[0]).build();
            try (CloseableIterator<ChaincodeEvent> events =
                     gateway.newSignedChaincodeEventsRequest(r.getBytes(), user.signer.sign(r.getDigest())).getEvents()) {
                ChaincodeEvent e = events.next();
                return Step.map("name", e.getEventName(), "payload", Step.readable(e.getPayload()));
            }
        });
        Step.step("sign a request for blocks elsewhere", () -> {
            BlockEventsRequest r = channel.newBlockEventsRequest().startBlock(block[0]).build();
            try (CloseableIterator<Block> blocks = gateway.newSignedBlockEventsRequest(r.getBytes(), user.signer.sign(r.getDigest())).getEvents()) {
                return blocks.next().getHeader().getNumber() == block[0];
            }
        });
        Step.step("sign a request for filtered blocks elsewhere", () -> {
            FilteredBlockEventsRequest r = channel.newFilteredBlockEventsRequest().startBlock(block[0]).build();
            try (CloseableIterator<FilteredBlock> blocks =
                     gateway.newSignedFilteredBlockEventsRequest(r.getBytes(), user.signer.sign(r.getDigest())).getEvents()) {
                return blocks.next().getNumber() == block[0];
            }
        });
        Step.step("sign a request for blocks with private data elsewhere", () -> {
            BlockAndPrivateDataEventsRequest r = channel.newBlockAndPrivateDataEventsRequest().startBlock(block[0]).build();
            try (CloseableIterator<BlockAndPrivateData> blocks =
                     gateway.newSignedBlockAndPrivateDataEventsRequest(r.getBytes(), user.signer.sign(r.getDigest())).getEvents()) {
                return blocks.next().getBlock().getHeader().getNumber() == block[0];
            }
        });
    }
}
