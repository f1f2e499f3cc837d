import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Proposal;

// Two organizations trade an asset, whose properties and price are nobody else's business.
final class Agreement {
    private static final String PROPERTIES = "{\"color\":\"blue\",\"size\":35,\"salt\":\"a1b2\"}";

    private final Network network;
    private final Contract seller;
    private final Contract buyer;

    private Agreement(Network network) throws Exception {
        this.network = network;
        seller = network.contract("Org1MSP", "any");
        buyer = network.contract("Org2MSP", "any");
    }

    static void run(Network network) throws Exception {
        Agreement trade = new Agreement(network);
        trade.agree();
        trade.transfer();
    }

    private void agree() {
        Step.step("create an asset", () -> sell("create", "asset1", "for sale").with("properties", PROPERTIES).submit());
        Step.step("read it", () -> buyer.evaluateTransaction("asset", "asset1"));
        Step.step("read its properties", () -> seller.evaluateTransaction("reveal", "_implicit_org_Org1MSP", "asset1"));
        Step.step("read its properties as a stranger", () -> buyer.evaluateTransaction("reveal", "_implicit_org_Org1MSP", "asset1"));
        Step.step("change it as a stranger", () -> buy("describe", "asset1", "mine").submit());
        Step.step("agree to sell", () -> sell("agree", "asset1").with("price", price(110)).submit());
        Step.step("verify other properties", () -> buy("verify", "asset1").with("properties", "{\"color\":\"red\"}").evaluate());
        Step.step("verify the properties", () -> buy("verify", "asset1").with("properties", PROPERTIES).evaluate());
        Step.step("agree to buy for less", () -> buy("agree", "asset1").with("price", price(100)).submit());
        Step.step("transfer without an agreement", () -> transferring(true).submit());
        Step.step("agree to buy", () -> buy("agree", "asset1").with("price", price(110)).submit());
    }

    private void transfer() {
        Step.step("transfer as a stranger", () ->
            buy("transfer", "asset1", "Org2MSP").with("properties", PROPERTIES).with("price", price(110)).by("Org1MSP", "Org2MSP").submit());
        Step.step("transfer by the seller's organization alone", () -> transferring(false).submit());
        Step.step("transfer", () -> transferring(true).submit());
        Step.step("read it after the transfer", () -> seller.evaluateTransaction("asset", "asset1"));
        Step.step("read the properties that were sold", () -> seller.evaluateTransaction("reveal", "_implicit_org_Org1MSP", "asset1"));
        Step.step("read the properties that were bought", () -> buyer.evaluateTransaction("reveal", "_implicit_org_Org2MSP", "asset1"));
        Step.step("change it as its owner before", () -> sell("describe", "asset1", "still mine").submit());
        Step.step("change it as its owner", () -> buy("describe", "asset1", "bought").submit());
    }

    private Call transferring(boolean both) {
        Call call = sell("transfer", "asset1", "Org2MSP").with("properties", PROPERTIES).with("price", price(110));
        return both ? call.by("Org1MSP", "Org2MSP") : call;
    }

    private static String price(int amount) {
        return "{\"price\":" + amount + ",\"trade\":\"t1\"}";
    }

    private Call sell(String function, String... args) {
        return new Call("Org1MSP", seller.newProposal(function).addArguments(args));
    }

    private Call buy(String function, String... args) {
        return new Call("Org2MSP", buyer.newProposal(function).addArguments(args));
    }

    // Call is what an organization's client wants of its own peer, and of no other one if nothing else is said.
    private final class Call {
        private final String mspId;
        private final Proposal.Builder proposal;

        Call(String mspId, Proposal.Builder proposal) {
            this.mspId = mspId;
            this.proposal = proposal.setEndorsingOrganizations(mspId);
        }

        Call with(String name, String value) {
            proposal.putTransient(name, value);
            return this;
        }

        Call by(String... mspIds) {
            proposal.setEndorsingOrganizations(mspIds);
            return this;
        }

        Object submit() throws Exception {
            return network.submit(mspId, proposal);
        }

        Object evaluate() throws Exception {
            return proposal.build().evaluate();
        }
    }
}
