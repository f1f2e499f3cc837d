import java.nio.charset.StandardCharsets;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Status;
import org.hyperledger.fabric.client.SubmittedTransaction;
import org.hyperledger.fabric.protos.common.Block;
import org.hyperledger.fabric.protos.common.BlockchainInfo;

// Transactions that go well.
final class Transactions {
    static void run(Network network) throws Exception {
        Contract any = network.contract("Org1MSP", "any");
        Contract all = network.contract("Org1MSP", "all");
        Contract other = network.contract("Org2MSP", "any");

        Step.step("submit", () -> any.submitTransaction("put", "a", "1"));
        Step.step("evaluate", () -> any.evaluateTransaction("get", "a"));
        Step.step("submit what was read", () -> any.submitTransaction("put", "a", "2"));
        Step.step("submit at the other organization", () -> other.submitTransaction("put", "b", "1"));
        Step.step("evaluate at the other organization", () -> other.evaluateTransaction("get", "b"));
        Step.step("evaluate at chosen organizations", () ->
            any.newProposal("who").setEndorsingOrganizations("Org2MSP").build().evaluate());
        Step.step("submit without waiting", () -> {
            SubmittedTransaction submitted = any.newProposal("put").addArguments("a", "3").build().endorse().submitAsync();
            Status first = submitted.getStatus();
            Status second = submitted.getStatus();
            return Step.map("result", Step.readable(submitted.getResult()), "code", first.getCode().getNumber(), "successful", first.isSuccessful(),
                "same", first.getBlockNumber() == second.getBlockNumber() && first.getTransactionId().equals(submitted.getTransactionId()));
        });
        Step.step("submit by a plan", () -> all.submitTransaction("put", "a", "1"));
        Step.step("submit by chosen organizations", () ->
            all.newProposal("put").addArguments("a", "2").setEndorsingOrganizations("Org2MSP", "Org1MSP").build().endorse().submit());
        Step.step("submit as bytes", () ->
            any.submitTransaction("put", "bytes".getBytes(StandardCharsets.UTF_8), new byte[] {(byte) 0xe2, (byte) 0x82, (byte) 0xac}));
        Step.step("evaluate as bytes", () -> any.evaluateTransaction("get", "bytes"));
        Step.step("submit an empty value", () -> any.submitTransaction("put", "empty", ""));
        Step.step("evaluate with transient data", () ->
            any.newProposal("transient").putTransient("value", "seen by endorsers only").build().evaluate());
        Step.step("submit with transient data", () -> any.newProposal("transient").putTransient("value", "again").build().endorse().submit());
        Step.step("evaluate a contract by its name", () -> network.on("Org1MSP").getContract("any", "named").evaluateTransaction("get", "a"));
        Step.step("evaluate a large value", () -> any.evaluateTransaction("large", "3000000").length);
        Step.step("evaluate qscc", () -> {
            Contract qscc = network.contract("Org1MSP", "qscc");
            BlockchainInfo info = BlockchainInfo.parseFrom(qscc.evaluateTransaction("GetChainInfo", network.channel()));
            Block first = Block.parseFrom(qscc.evaluateTransaction("GetBlockByNumber", network.channel(), "0"));
            return Step.map("grown", info.getHeight() > 3, "first", first.getHeader().getNumber());
        });
    }
}
