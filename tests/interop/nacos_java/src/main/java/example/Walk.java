package example;

import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;

import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.naming.NamingMaintainFactory;
import com.alibaba.nacos.api.naming.NamingMaintainService;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.NamingEvent;
import com.alibaba.nacos.api.naming.pojo.Instance;

/** An instance comes, beats, is heard of, changes and goes. Says "done", or fails. */
public final class Walk {
    private static final String SERVICE = "orders";
    private static final String GROUP = "blue";
    /** Longer than the instance's lease: only its beats keep it. */
    private static final long KEPT_MS = 5_000;
    private static final long WAIT_MS = 20_000;

    public static void main(String[] arguments) throws Exception {
        Properties where = new Properties();
        where.setProperty("serverAddr", arguments[0]);
        NamingService naming = NacosFactory.createNamingService(where);
        NamingMaintainService maintaining = NamingMaintainFactory.createMaintainService(where);
        check("UP".equals(naming.getServerStatus()), "the server is up");

        naming.registerInstance(SERVICE, GROUP, instance(7001));
        Instance known = only(naming);
        check(known.getWeight() == 2.5 && known.isHealthy() && known.isEphemeral(), "it is as it was sent");
        check("c1".equals(known.getClusterName()) && "b".equals(known.getMetadata().get("a")), "all of it");
        check(naming.getServicesOfServer(1, 10, GROUP).getData().contains(SERVICE), "its service is listed");

        List<List<Instance>> heard = new CopyOnWriteArrayList<>();
        naming.subscribe(SERVICE, GROUP, event -> heard.add(((NamingEvent) event).getInstances()));
        naming.registerInstance(SERVICE, GROUP, instance(7002));
        await(() -> heard.stream().anyMatch(instances -> instances.size() == 2), "a subscriber hears of the second");
        naming.deregisterInstance(SERVICE, GROUP, "127.0.0.1", 7002, "c1");
        await(() -> heard.get(heard.size() - 1).size() == 1, "and that it went");

        Thread.sleep(KEPT_MS);
        check(naming.selectOneHealthyInstance(SERVICE, GROUP).getPort() == 7001, "its beats keep it");

        known.setWeight(7);
        known.setServiceName(SERVICE);
        maintaining.updateInstance(SERVICE, GROUP, known);
        check(only(naming).getWeight() == 7, "its weight is another");
        known.setEnabled(false);
        maintaining.updateInstance(SERVICE, GROUP, known);
        check(naming.getAllInstances(SERVICE, GROUP, false).isEmpty(), "disabled it is not listed");

        naming.deregisterInstance(SERVICE, GROUP, "127.0.0.1", 7001, "c1");
        check(naming.getAllInstances(SERVICE, GROUP, false).isEmpty(), "it is gone");
        maintaining.createService("till", GROUP, 0);
        check("till".equals(maintaining.queryService("till", GROUP).getName()), "a service is made");
        check(maintaining.deleteService("till", GROUP), "and deleted");
        naming.shutDown();
        System.out.println("done");
        System.exit(0);
    }

    private static Instance instance(int port) {
        Instance instance = new Instance();
        instance.setIp("127.0.0.1");
        instance.setPort(port);
        instance.setWeight(2.5);
        instance.setClusterName("c1");
        instance.setMetadata(
                Map.of("a", "b", "preserved.heart.beat.interval", "500", "preserved.heart.beat.timeout", "3000"));
        return instance;
    }

    private static Instance only(NamingService naming) throws Exception {
        List<Instance> instances = naming.getAllInstances(SERVICE, GROUP, false);
        check(instances.size() == 1, "one instance, not " + instances);
        return instances.get(0);
    }

    private static void await(Callable<Boolean> condition, String what) throws Exception {
        long end = System.currentTimeMillis() + WAIT_MS;
        while (!condition.call()) {
            check(System.currentTimeMillis() < end, what);
            Thread.sleep(50);
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            System.err.println("not so: " + what);
            System.exit(1);
        }
    }

    private Walk() {}
}
