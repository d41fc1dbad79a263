package earlywarn.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;

/** What the job needs of a transaction. Public fields: the cheapest way for Jackson to bind. */
@JsonIgnoreProperties(ignoreUnknown = true)
public final class Payment {
  public long ts;

  @JsonProperty("amount_minor")
  public long amountMinor;

  public String mcc;
  public String region;

  static final long HOUR_MS = 3_600_000L;

  long hour() {
    return ts - Math.floorMod(ts, HOUR_MS);
  }
}
