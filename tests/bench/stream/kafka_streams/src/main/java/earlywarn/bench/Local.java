package earlywarn.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Counts in the store of the source partition's own task, so that nothing is shuffled, and publishes changed cells once
 * every 2,000 offsets and at the partition's end.
 */
final class Local implements Processor<byte[], Payment, String, String> {
  static final String STORE = "cells";
  private static final int BLOCK = 2000;

  private final Task task;
  private final Progress progress;
  private final Map<Integer, Long> lastOffsets;
  private final Map<String, String> changed = new LinkedHashMap<>();
  private ProcessorContext<String, String> context;
  private KeyValueStore<String, Sums> store;

  Local(Task task, Progress progress, Map<Integer, Long> lastOffsets) {
    this.task = task;
    this.progress = progress;
    this.lastOffsets = lastOffsets;
  }

  @Override
  public void init(ProcessorContext<String, String> context) {
    this.context = context;
    this.store = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<byte[], Payment> record) {
    Payment payment = record.value();
    String sector = task.sectorOfMcc().get(payment.mcc);
    long hour = payment.hour();
    String cell = payment.region + "|" + sector + "|" + hour;
    Sums known = store.get(cell);
    Sums sums = (known == null ? Sums.NOTHING : known).plus(payment.amountMinor);
    store.put(cell, sums);
    changed.put(cell, null); // the row is written once, when it is published
    RecordMetadata place = context.recordMetadata().orElseThrow();
    if ((place.offset() + 1) % BLOCK == 0 || place.offset() == lastOffsets.get(place.partition())) {
      publish(place.partition(), record.timestamp());
    }
    progress.pass();
  }

  private void publish(int partition, long timestamp) {
    for (String cell : changed.keySet()) {
      String[] parts = cell.split("\\|");
      String row = store.get(cell).row(parts[0], parts[1], Long.parseLong(parts[2]));
      context.forward(new Record<>(partition + "|" + cell, row, timestamp));
    }
    changed.clear();
  }
}
