package earlywarn.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/** Says when the first event is there, and lets the main thread wait for the last. */
final class Progress {
  private final long events;
  private final AtomicLong passed = new AtomicLong();
  private final CountDownLatch done = new CountDownLatch(1);
  private boolean begun; // of the stream thread alone

  Progress(long events) {
    this.events = events;
  }

  /** An event was read. */
  void read() {
    if (!begun) {
      begun = true;
      say("first");
    }
  }

  /** An event is counted. */
  void pass() {
    if (passed.incrementAndGet() == events) {
      done.countDown();
    }
  }

  void await() throws InterruptedException {
    done.await();
  }

  static void say(String what) {
    double cpuSeconds =
        ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    System.out.println(
        String.format(Locale.ROOT, "%s %.6f %.6f", what, System.currentTimeMillis() / 1e3, cpuSeconds));
    System.out.flush();
  }
}
