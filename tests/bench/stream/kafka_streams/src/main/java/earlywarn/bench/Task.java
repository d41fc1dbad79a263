package earlywarn.bench;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;

/** What the program is told; see contract.py. */
record Task(
    String brokers,
    String input,
    String output,
    String group,
    long events,
    String state,
    String variant,
    long graceSeconds,
    Map<String, String> sectorOfMcc) {

  static Task told() throws Exception {
    Map<String, String> said = System.getenv();
    return new Task(
        said.get("BENCH_BROKERS"),
        said.get("BENCH_INPUT"),
        said.get("BENCH_OUTPUT"),
        said.get("BENCH_GROUP"),
        Long.parseLong(said.get("BENCH_EVENTS")),
        said.get("BENCH_STATE"),
        said.get("BENCH_VARIANT"),
        Long.parseLong(said.get("BENCH_GRACE_SECONDS")),
        new ObjectMapper().readValue(said.get("BENCH_SECTORS"), new TypeReference<>() {}));
  }
}
