import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Proposal;

// Private data, and keys that have endorsement policies of their own.
final class Privacy {
    static void run(Network network) throws Exception {
        Contract first = network.contract("Org1MSP", "any");
        Contract second = network.contract("Org2MSP", "any");
        Step.step("hide from nobody", () -> network.submit("Org1MSP", hide(first, "both", "p", "for both").setEndorsingOrganizations("Org2MSP")));
        Step.step("reveal to a member", () -> second.evaluateTransaction("reveal", "both", "p"));
        Step.step("hide from the other organization", () -> network.submit("Org1MSP", hide(first, "first", "p", "for the first only")));
        Step.step("reveal to the only member", () -> first.evaluateTransaction("reveal", "first", "p"));
        Step.step("reveal to a stranger", () -> second.evaluateTransaction("reveal", "first", "p"));
        Step.step("submit by strangers", () ->
            network.submit("Org2MSP", hide(second, "first", "q", "not for this one").setEndorsingOrganizations("Org2MSP")));
        Step.step("submit by strangers as the plan has it", () -> network.submit("Org2MSP", hide(second, "first", "q", "not for this one")));
        Step.step("compare hashes", () -> network.submit("Org2MSP", call(second, "hash", "first", "p")));
        Step.step("remember a member's own", () -> network.submit("Org1MSP", hide(first, "_implicit_org_Org1MSP", "p", "for itself")));
        Step.step("purge", () -> network.submit("Org1MSP", call(first, "purge", "first", "p")));
        Step.step("reveal what is gone", () -> first.evaluateTransaction("reveal", "first", "p"));

        Step.step("write a key", () -> network.submit("Org1MSP", call(first, "put", "owned", "1")));
        Step.step("give the key a policy", () -> network.submit("Org1MSP", call(first, "own", "owned", "Org2MSP")));
        Step.step("write it as the policy wants", () -> network.submit("Org2MSP", call(second, "put", "owned", "2")));
        Step.step("write it as a plan has it", () -> network.submit("Org1MSP", call(first, "put", "owned", "3")));
        Step.step("write it otherwise", () -> network.submit("Org1MSP", call(first, "put", "owned", "4").setEndorsingOrganizations("Org1MSP")));
        Step.step("give it to both", () -> network.submit("Org2MSP", call(second, "own", "owned", "Org1MSP", "Org2MSP")));
        Step.step("write it by one of two", () -> network.submit("Org2MSP", call(second, "put", "owned", "5").setEndorsingOrganizations("Org2MSP")));
        Step.step("write it by both", () -> network.submit("Org2MSP", call(second, "put", "owned", "6")));
        Step.step("read it", () -> second.evaluateTransaction("get", "owned"));
    }

    private static Proposal.Builder call(Contract contract, String function, String... args) {
        return contract.newProposal(function).addArguments(args);
    }

    private static Proposal.Builder hide(Contract contract, String collection, String key, String value) {
        return call(contract, "hide", collection, key).putTransient("value", value);
    }
}
