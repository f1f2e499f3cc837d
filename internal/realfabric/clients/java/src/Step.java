import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hyperledger.fabric.client.CommitException;
import org.hyperledger.fabric.client.GatewayException;
import org.hyperledger.fabric.client.GatewayRuntimeException;
import org.hyperledger.fabric.protos.gateway.ErrorDetail;

// What a step prints: one line of JSON with its name, and its result or its error.
final class Step {
    private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

    interface Action {
        Object run() throws Exception;
    }

    static void step(String name, Action action) {
        Map<String, Object> line = map("step", name);
        try {
            line.put("result", readable(action.run()));
        } catch (Exception e) {
            line.put("error", failure(e));
        }
        System.out.println(JSON.toJson(line));
    }

    // map is an object of names and values, in their order.
    static Map<String, Object> map(Object... namesAndValues) {
        Map<String, Object> all = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            all.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return all;
    }

    // readable makes text of bytes.
    static Object readable(Object value) {
        return value instanceof byte[] ? new String((byte[]) value, StandardCharsets.UTF_8) : value;
    }

    static Object failure(Exception e) {
        String type = e.getClass().getSimpleName();
        if (e instanceof GatewayException) {
            GatewayException g = (GatewayException) e;
            return map("type", type, "code", g.getStatus().getCode().name(), "message", e.getMessage(), "details", details(g.getDetails()));
        }
        if (e instanceof GatewayRuntimeException) {
            GatewayRuntimeException g = (GatewayRuntimeException) e;
            return map("type", type, "code", g.getStatus().getCode().name(), "message", e.getMessage(), "details", details(g.getDetails()));
        }
        if (e instanceof CommitException) {
            return map("type", type, "code", ((CommitException) e).getCode().name(), "message", e.getMessage());
        }
        return map("type", type, "message", e.getMessage());
    }

    // details are what peers said. They come in the order in which these answered.
    private static Object details(List<ErrorDetail> of) {
        List<ErrorDetail> sorted = new ArrayList<>(of);
        sorted.sort(Comparator.comparing(ErrorDetail::getMspId));
        List<Object> all = new ArrayList<>();
        for (ErrorDetail d : sorted) {
            all.add(map("address", d.getAddress(), "mspId", d.getMspId(), "message", d.getMessage()));
        }
        return all;
    }
}
