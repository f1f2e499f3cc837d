// This program does what an application can do with fabric-gateway for Java, on the network that its argument describes.
public final class Main {
    private interface Part {
        void run(Network network) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        try (Network network = new Network(args[0])) {
            Part[] parts = {
                Transactions::run, Offline::run, Failures::run, Clients::run, Events::run, Blocks::run, Privacy::run, Agreement::run,
            };
            for (Part part : parts) {
                part.run(network);
            }
        }
    }
}
