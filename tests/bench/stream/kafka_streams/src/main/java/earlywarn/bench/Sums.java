package earlywarn.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Count and sum in minor units; 16 bytes in stores and changelogs. */
record Sums(long count, long sum) {
  static final Sums NOTHING = new Sums(0, 0);

  Sums plus(long amountMinor) {
    return new Sums(count + 1, sum + amountMinor);
  }

  static Serde<Sums> serde() {
    return Serdes.serdeFrom(
        (topic, sums) ->
            sums == null ? null : ByteBuffer.allocate(16).putLong(sums.count).putLong(sums.sum).array(),
        (topic, bytes) -> {
          if (bytes == null) {
            return null;
          }
          ByteBuffer buffer = ByteBuffer.wrap(bytes);
          return new Sums(buffer.getLong(), buffer.getLong());
        });
  }

  /** The row of the contract; region and sector hold no character that JSON escapes. */
  String row(String region, String sector, long hour) {
    return "{\"region\":\"" + region + "\",\"sector\":\"" + sector + "\",\"hour\":" + hour
        + ",\"count\":" + count + ",\"sum\":" + sum + "}";
  }
}
