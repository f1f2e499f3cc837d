import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.hyperledger.fabric.client.ChaincodeEvent;
import org.hyperledger.fabric.client.Checkpointer;
import org.hyperledger.fabric.client.CloseableIterator;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.FileCheckpointer;
import org.hyperledger.fabric.client.InMemoryCheckpointer;

// Events of chaincode, with checkpoints, and after a new connection.
final class Events {
    static void run(Network network) throws Exception {
        org.hyperledger.fabric.client.Network channel = network.on("Org1MSP");
        Contract any = channel.getContract("any");
        long[] from = new long[1];
        Step.step("events as they come", () -> {
            CloseableIterator<ChaincodeEvent> events = channel.getChaincodeEvents("any");
            any.evaluateTransaction("get", "a"); // the peer has answered something that was asked after the events
            from[0] = emit(any, "first");
            any.submitTransaction("put", "a", "without an event");
            emit(any, "second");
            return read(events, 2, null);
        });
        emit(any, "third");
        Step.step("events from a block", () -> read(channel.newChaincodeEventsRequest("any").startBlock(from[0]).build().getEvents(), 3, null));
        Step.step("events of another chaincode", () -> {
            long block = emit(network.contract("Org1MSP", "all"), "other");
            return read(channel.newChaincodeEventsRequest("all").startBlock(block).build().getEvents(), 1, null);
        });
        checkpoints(network, from[0]);
    }

    private static void checkpoints(Network network, long from) throws Exception {
        org.hyperledger.fabric.client.Network channel = network.on("Org1MSP");
        Checkpointer checkpointer = new InMemoryCheckpointer();
        Step.step("events to a checkpoint", () ->
            read(channel.newChaincodeEventsRequest("any").startBlock(from).checkpoint(checkpointer).build().getEvents(), 1, checkpointer));
        Step.step("events from a checkpoint", () ->
            read(channel.newChaincodeEventsRequest("any").startBlock(from).checkpoint(checkpointer).build().getEvents(), 2, checkpointer));
        Step.step("events from a checkpoint that are yet to come", () -> {
            CloseableIterator<ChaincodeEvent> events = channel.newChaincodeEventsRequest("any").checkpoint(checkpointer).build().getEvents();
            emit(channel.getContract("any"), "fourth");
            return read(events, 1, checkpointer);
        });
        Path file = Files.createTempFile("events-", ".json");
        Files.delete(file);
        Step.step("events to a checkpoint in a file", () -> {
            try (FileCheckpointer kept = new FileCheckpointer(file)) {
                return read(channel.newChaincodeEventsRequest("any").startBlock(from).checkpoint(kept).build().getEvents(), 2, kept);
            }
        });
        Step.step("events after a new connection", () -> {
            network.close();
            try (FileCheckpointer kept = new FileCheckpointer(file)) {
                return read(network.on("Org1MSP").newChaincodeEventsRequest("any").startBlock(0).checkpoint(kept).build().getEvents(), 2, kept);
            }
        });
        Files.delete(file);
    }

    private static long emit(Contract contract, String name) throws Exception {
        return contract.newProposal("event").addArguments(name, "of " + name, "e").build().endorse().submitAsync().getStatus().getBlockNumber();
    }

    // read reads some events, and closes their stream.
    private static List<String> read(CloseableIterator<ChaincodeEvent> events, int n, Checkpointer checkpointer) throws Exception {
        List<String> all = new ArrayList<>();
        try (events) {
            while (all.size() < n) {
                ChaincodeEvent e = events.next();
                all.add(e.getChaincodeName() + " " + e.getEventName() + ": " + Step.readable(e.getPayload()));
                if (checkpointer != null) {
                    checkpointer.checkpointChaincodeEvent(e);
                }
            }
        }
        return all;
    }
}
