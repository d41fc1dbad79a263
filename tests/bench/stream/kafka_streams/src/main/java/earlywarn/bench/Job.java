package earlywarn.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.module.blackbird.BlackbirdModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in Kafka Streams 4.1, in two ways, and its windows for the loss test.
 *
 * <ul>
 *   <li>dsl: groupBy region, sector and hour (a repartition topic), aggregate in RocksDB.
 *   <li>local: the processor API with a RocksDB store by source partition; no repartition. See {@link Local}.
 *   <li>lossy: windows of an hour with grace, final results (suppress), as one would run them live.
 * </ul>
 */
public final class Job {
  private Job() {}

  public static void main(String[] arguments) throws Exception {
    Task task = Task.told();
    Progress progress = new Progress(task.events());
    StreamsBuilder builder = new StreamsBuilder();
    KStream<byte[], Payment> payments =
        builder.stream(
            task.input(),
            Consumed.with(Serdes.ByteArray(), payments(progress))
                .withTimestampExtractor((record, partitionTime) -> ((Payment) record.value()).ts));
    switch (task.variant()) {
      case "dsl" -> dsl(task, progress, payments);
      case "local" -> local(task, progress, builder, payments);
      case "lossy" -> lossy(task, progress, payments);
      default -> throw new IllegalArgumentException("BENCH_VARIANT = " + task.variant() + ": dsl, local or lossy");
    }
    KafkaStreams streams = new KafkaStreams(builder.build(), settings(task));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return null;
        });
    streams.start();
    progress.await();
    long dropped = dropped(streams);
    streams.close(Duration.ofMinutes(2)); // commits: caches, changelogs, results and offsets
    System.out.println("late " + dropped);
    Progress.say("last");
    System.exit(0);
  }

  /** Each setting is the default but where the guides of Kafka Streams or the measurements say what is faster. */
  private static Properties settings(Task task) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, task.group());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, task.brokers());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, task.state());
    // At least once, the default: no transactions, commits every 30 s, all of it in favour of throughput.
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
    // One worker: one thread, as every other contestant has one.
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    // Memory management guide: a cache that holds all open cells turns many updates of a key into one.
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    // Fewer, larger polls and requests; the default of 1,000 records is for records that take long.
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
    settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    settings.put(CommonClientConfigs.METRICS_RECORDING_LEVEL_CONFIG, "INFO");
    // Event times of years ago would otherwise expire from internal topics (default for changelogs of windows).
    settings.put(StreamsConfig.topicPrefix("retention.ms"), "-1");
    return settings;
  }

  private static void dsl(Task task, Progress progress, KStream<byte[], Payment> payments) {
    Map<String, String> sectors = task.sectorOfMcc();
    payments
        .groupBy(
            (key, payment) -> payment.region + "|" + sectors.get(payment.mcc) + "|" + payment.hour(),
            Grouped.with(Serdes.String(), amounts()))
        .aggregate(
            () -> Sums.NOTHING,
            (cell, payment, sums) -> {
              progress.pass();
              return sums.plus(payment.amountMinor);
            },
            Materialized.with(Serdes.String(), Sums.serde()))
        .toStream()
        .mapValues(
            (cell, sums) -> {
              String[] parts = cell.split("\\|");
              return sums.row(parts[0], parts[1], Long.parseLong(parts[2]));
            })
        .to(task.output(), Produced.with(Serdes.String(), Serdes.String()));
  }

  private static void local(
      Task task, Progress progress, StreamsBuilder builder, KStream<byte[], Payment> payments) throws Exception {
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Local.STORE), Serdes.String(), Sums.serde())
            .withCachingEnabled());
    Map<Integer, Long> lastOffsets = lastOffsets(task);
    payments
        .process(() -> new Local(task, progress, lastOffsets), Local.STORE)
        .to(task.output(), Produced.with(Serdes.String(), Serdes.String()));
  }

  private static void lossy(Task task, Progress progress, KStream<byte[], Payment> payments) {
    Map<String, String> sectors = task.sectorOfMcc();
    payments
        .selectKey((key, payment) -> payment.region + "|" + sectors.get(payment.mcc))
        .repartition(Repartitioned.with(Serdes.String(), amounts()))
        .peek((cell, payment) -> progress.pass())
        .groupByKey(Grouped.with(Serdes.String(), amounts()))
        .windowedBy(
            TimeWindows.ofSizeAndGrace(
                Duration.ofMillis(Payment.HOUR_MS), Duration.ofSeconds(task.graceSeconds())))
        .aggregate(
            () -> Sums.NOTHING,
            (cell, payment, sums) -> sums.plus(payment.amountMinor),
            Materialized.with(Serdes.String(), Sums.serde()))
        .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()))
        .toStream()
        .map(
            (window, sums) -> {
              String[] parts = window.key().split("\\|");
              long hour = window.window().start();
              return org.apache.kafka.streams.KeyValue.pair(
                  window.key() + "|" + hour, sums.row(parts[0], parts[1], hour));
            })
        .to(task.output(), Produced.with(Serdes.String(), Serdes.String()));
  }

  private static Serde<Payment> payments(Progress progress) {
    ObjectReader reader = new ObjectMapper().registerModule(new BlackbirdModule()).readerFor(Payment.class);
    return Serdes.serdeFrom(
        (topic, payment) -> {
          throw new UnsupportedOperationException("payments are only read");
        },
        (topic, bytes) -> {
          progress.read();
          try {
            return reader.readValue(bytes);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        });
  }

  /** The repartition topic needs the amount alone: 8 bytes. */
  private static Serde<Payment> amounts() {
    return Serdes.serdeFrom(
        (topic, payment) -> Serdes.Long().serializer().serialize(topic, payment.amountMinor),
        (topic, bytes) -> {
          Payment payment = new Payment();
          payment.amountMinor = Serdes.Long().deserializer().deserialize(topic, bytes);
          return payment;
        });
  }

  private static Map<Integer, Long> lastOffsets(Task task) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", task.brokers()))) {
      Map<TopicPartition, OffsetSpec> asked =
          admin.describeTopics(java.util.List.of(task.input())).allTopicNames().get().get(task.input()).partitions()
              .stream()
              .collect(
                  Collectors.toMap(
                      partition -> new TopicPartition(task.input(), partition.partition()),
                      partition -> OffsetSpec.latest()));
      Map<Integer, Long> last = new HashMap<>();
      admin.listOffsets(asked).all().get().forEach((at, end) -> last.put(at.partition(), end.offset() - 1));
      return last;
    }
  }

  private static long dropped(KafkaStreams streams) {
    return streams.metrics().entrySet().stream()
        .filter(metric -> metric.getKey().name().equals("dropped-records-total"))
        .mapToLong(metric -> ((Number) metric.getValue().metricValue()).longValue())
        .sum();
  }
}
