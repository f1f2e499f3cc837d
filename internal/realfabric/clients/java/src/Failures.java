import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.hyperledger.fabric.client.CloseableIterator;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.EndorseException;
import org.hyperledger.fabric.client.GatewayException;
import org.hyperledger.fabric.client.Transaction;
import org.hyperledger.fabric.protos.gateway.ErrorDetail;

// What goes wrong, with the errors that tell it.
final class Failures {
    static void run(Network network) throws Exception {
        chaincode(network);
        transactions(network);
        unknown(network);
    }

    private static void chaincode(Network network) throws Exception {
        Contract any = network.contract("Org1MSP", "any");
        Contract all = network.contract("Org1MSP", "all");
        for (String status : new String[] {"0", "199", "400", "404", "499", "500", "503", "600"}) {
            Step.step("evaluate " + status, () -> any.evaluateTransaction("fail", status, "the reason"));
            Step.step("submit " + status, () -> any.submitTransaction("fail", status, "the reason"));
        }
        Step.step("submit 399", () -> any.submitTransaction("fail", "399", "no reason"));
        Step.step("submit 500 by a plan", () -> all.submitTransaction("fail", "500", "the reason"));
        Step.step("submit 500 by chosen organizations", () ->
            all.newProposal("fail").addArguments("500", "the reason").setEndorsingOrganizations("Org1MSP", "Org2MSP").build().endorse().submit());
        Step.step("evaluate an unknown function", () -> any.evaluateTransaction("nothing"));
    }

    private static void transactions(Network network) throws Exception {
        Contract any = network.contract("Org1MSP", "any");
        Contract all = network.contract("Org1MSP", "all");
        Step.step("conflict", () -> {
            List<Transaction> transactions = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                transactions.add(any.newProposal("add").addArguments("n").build().endorse());
            }
            List<Map<String, Object>> statuses = new ArrayList<>();
            for (Transaction t : transactions) {
                org.hyperledger.fabric.client.Status status = t.submitAsync().getStatus();
                statuses.add(Step.map("code", status.getCode().getNumber(), "successful", status.isSuccessful()));
            }
            return statuses;
        });
        Step.step("mismatch", () -> all.submitTransaction("differ", "a"));
        Step.step("mismatch by chosen organizations", () -> {
            try {
                return all.newProposal("differ").addArguments("a").setEndorsingOrganizations("Org1MSP", "Org2MSP").build().endorse().submit();
            } catch (EndorseException e) {
                return e.getDetails().stream().map(ErrorDetail::getMessage).toArray(); // of the organization that answers last
            }
        });
        Step.step("too few endorsements", () ->
            all.newProposal("put").addArguments("a", "3").setEndorsingOrganizations("Org1MSP").build().endorse().submit());
        Step.step("transaction sent twice", () -> {
            Transaction transaction = any.newProposal("put").addArguments("twice", "1").build().endorse();
            List<Integer> codes = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                codes.add(transaction.submitAsync().getStatus().getCode().getNumber());
            }
            return codes;
        });
        Step.step("deadline of an evaluation", () ->
            late(() -> any.newProposal("wait").build().evaluate(o -> o.withDeadlineAfter(300, TimeUnit.MILLISECONDS))));
        Step.step("deadline of an endorsement", () ->
            late(() -> any.newProposal("wait").build().endorse(o -> o.withDeadlineAfter(300, TimeUnit.MILLISECONDS))));
    }

    // late says that a call was late. Who says so first is a race, and so are the text, and whether it was cancelled or exceeded its deadline.
    private static Object late(Step.Action call) throws Exception {
        try {
            return call.run();
        } catch (GatewayException e) {
            Status.Code code = e.getStatus().getCode();
            return Step.map("type", e.getClass().getSimpleName(), "late", code == Status.Code.CANCELLED || code == Status.Code.DEADLINE_EXCEEDED);
        }
    }

    private static void unknown(Network network) throws Exception {
        Contract any = network.contract("Org1MSP", "any");
        Step.step("evaluate at an unknown organization", () ->
            any.newProposal("get").addArguments("a").setEndorsingOrganizations("Org9MSP").build().evaluate());
        Step.step("submit by an unknown organization", () ->
            any.newProposal("get").addArguments("a").setEndorsingOrganizations("Org1MSP", "Org9MSP").build().endorse().submit());
        Step.step("evaluate an unknown chaincode", () -> network.contract("Org1MSP", "none").evaluateTransaction("get", "a"));
        Step.step("submit to an unknown chaincode", () -> network.contract("Org1MSP", "none").submitTransaction("get", "a"));
        org.hyperledger.fabric.client.Network channel = network.gateway("Org1MSP").getNetwork("nochannel");
        Step.step("evaluate on an unknown channel", () -> channel.getContract("any").evaluateTransaction("get", "a"));
        Step.step("submit on an unknown channel", () -> channel.getContract("any").submitTransaction("get", "a"));
        Step.step("events of an unknown channel", () -> opened(channel.getChaincodeEvents("any")));
        Step.step("blocks of an unknown channel", () -> opened(channel.getBlockEvents()));
        Step.step("blocks beyond the last one", () ->
            opened(network.on("Org1MSP").newBlockEventsRequest().startBlock(1000000).build().getEvents()));
    }

    // opened returns whether something comes of a request for events.
    static String opened(CloseableIterator<?> events) {
        try (events) {
            if (!events.hasNext()) {
                return "ended";
            }
            events.next();
            return "came";
        }
    }
}
