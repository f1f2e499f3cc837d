import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.hyperledger.fabric.client.CloseableIterator;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.InMemoryCheckpointer;
import org.hyperledger.fabric.client.Proposal;
import org.hyperledger.fabric.protos.common.Block;
import org.hyperledger.fabric.protos.common.BlockMetadataIndex;
import org.hyperledger.fabric.protos.common.ChannelHeader;
import org.hyperledger.fabric.protos.common.Envelope;
import org.hyperledger.fabric.protos.common.Payload;
import org.hyperledger.fabric.protos.ledger.rwset.CollectionPvtReadWriteSet;
import org.hyperledger.fabric.protos.ledger.rwset.NsPvtReadWriteSet;
import org.hyperledger.fabric.protos.ledger.rwset.TxPvtReadWriteSet;
import org.hyperledger.fabric.protos.ledger.rwset.kvrwset.KVRWSet;
import org.hyperledger.fabric.protos.ledger.rwset.kvrwset.KVWrite;
import org.hyperledger.fabric.protos.peer.BlockAndPrivateData;
import org.hyperledger.fabric.protos.peer.ChaincodeEvent;
import org.hyperledger.fabric.protos.peer.FilteredBlock;
import org.hyperledger.fabric.protos.peer.FilteredChaincodeAction;
import org.hyperledger.fabric.protos.peer.FilteredTransaction;

// Blocks as they are, filtered, and with private data.
final class Blocks {
    private interface Describe<T> {
        Object of(T block) throws Exception;
    }

    static void run(Network network) throws Exception {
        org.hyperledger.fabric.client.Network channel = network.on("Org1MSP");
        org.hyperledger.fabric.client.Network other = network.on("Org2MSP");
        Contract any = channel.getContract("any");

        long start = number(any.newProposal("event").addArguments("named", "payload", "e"));
        number(any.newProposal("fail").addArguments("399", "a transaction that writes nothing"));
        number(channel.getContract("all").newProposal("put").addArguments("a", "invalid").setEndorsingOrganizations("Org1MSP"));
        number(any.newProposal("hide").addArguments("both", "k").putTransient("value", "of both"));
        long last = number(any.newProposal("hide").addArguments("first", "k").putTransient("value", "of the first"));
        int n = (int) (last - start) + 1;

        Step.step("blocks", () -> read(channel.newBlockEventsRequest().startBlock(start).build().getEvents(), n, Blocks::block));
        Step.step("filtered blocks", () -> read(channel.newFilteredBlockEventsRequest().startBlock(start).build().getEvents(), n, Blocks::filtered));
        Step.step("blocks with private data", () ->
            read(channel.newBlockAndPrivateDataEventsRequest().startBlock(start).build().getEvents(), n, Blocks::withPrivateData));
        Step.step("blocks with private data of the other organization", () ->
            read(other.newBlockAndPrivateDataEventsRequest().startBlock(start).build().getEvents(), n, Blocks::withPrivateData));
        Step.step("blocks from a checkpoint", () -> {
            InMemoryCheckpointer checkpoint = new InMemoryCheckpointer();
            checkpoint.checkpointBlock(start);
            return read(channel.newFilteredBlockEventsRequest().checkpoint(checkpoint).build().getEvents(), n - 1, Blocks::filtered);
        });
        Step.step("blocks as they come", () -> {
            CloseableIterator<Block> events = channel.newBlockEventsRequest().startBlock(last + 1).build().getEvents();
            any.submitTransaction("put", "a", "new");
            return read(events, 1, Blocks::block);
        });
        Step.step("the first block", () -> read(channel.newBlockEventsRequest().startBlock(0).build().getEvents(), 1, b -> {
            Map<String, Object> described = Step.map("number", b.getHeader().getNumber(), "previous", b.getHeader().getPreviousHash().size());
            described.putAll(block(b));
            return described;
        }));
    }

    private static long number(Proposal.Builder proposal) throws Exception {
        return proposal.build().endorse().submitAsync().getStatus().getBlockNumber();
    }

    // read reads some blocks, and closes their stream.
    private static <T> List<Object> read(CloseableIterator<T> events, int n, Describe<T> describe) throws Exception {
        List<Object> all = new ArrayList<>();
        try (events) {
            while (all.size() < n) {
                all.add(describe.of(events.next()));
            }
        }
        return all;
    }

    // block is the types and the codes of a block's transactions.
    private static Map<String, Object> block(Block b) throws InvalidProtocolBufferException {
        List<Integer> types = new ArrayList<>();
        for (ByteString bytes : b.getData().getDataList()) {
            Payload payload = Payload.parseFrom(Envelope.parseFrom(bytes).getPayload());
            types.add(ChannelHeader.parseFrom(payload.getHeader().getChannelHeader()).getType());
        }
        List<Integer> codes = new ArrayList<>();
        for (byte code : b.getMetadata().getMetadata(BlockMetadataIndex.TRANSACTIONS_FILTER_VALUE).toByteArray()) {
            codes.add((int) code);
        }
        return Step.map("types", types, "codes", codes);
    }

    private static Object filtered(FilteredBlock b) {
        List<Object> all = new ArrayList<>();
        for (FilteredTransaction tx : b.getFilteredTransactionsList()) {
            List<String> events = new ArrayList<>();
            for (FilteredChaincodeAction action : tx.getTransactionActions().getChaincodeActionsList()) {
                ChaincodeEvent e = action.getChaincodeEvent();
                events.add(e.getChaincodeId() + " " + e.getEventName() + ": " + e.getPayload().size() + " bytes");
            }
            all.add(Step.map("type", tx.getTypeValue(), "code", tx.getTxValidationCodeValue(), "events", events));
        }
        return all;
    }

    private static Object withPrivateData(BlockAndPrivateData b) throws InvalidProtocolBufferException {
        List<String> writes = new ArrayList<>();
        for (Map.Entry<Long, TxPvtReadWriteSet> set : new TreeMap<>(b.getPrivateDataMapMap()).entrySet()) {
            for (NsPvtReadWriteSet ns : set.getValue().getNsPvtRwsetList()) {
                for (CollectionPvtReadWriteSet c : ns.getCollectionPvtRwsetList()) {
                    for (KVWrite w : KVRWSet.parseFrom(c.getRwset()).getWritesList()) {
                        writes.add(set.getKey() + ": " + ns.getNamespace() + "/" + c.getCollectionName() + "/" + w.getKey() + "="
                            + w.getValue().toStringUtf8());
                    }
                }
            }
        }
        Map<String, Object> described = block(b.getBlock());
        described.put("writes", writes);
        return described;
    }
}
