package example;

import java.util.List;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/** It says who it is, whom it knows, and calls others by their names. Of Meshway it knows nothing. */
@SpringBootApplication
@RestController
public class Application {
    private final DiscoveryClient discovery;
    private final String name;
    private final RestClient calls = RestClient.create();

    public Application(DiscoveryClient discovery, @Value("${spring.application.name}") String name) {
        this.discovery = discovery;
        this.name = name;
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

    @GetMapping("/hello")
    public String hello() {
        return "hello from " + name;
    }

    @GetMapping("/known/{service}")
    public List<String> known(@PathVariable("service") String service) {
        return discovery.getInstances(service).stream().map(instance -> instance.getUri().toString()).toList();
    }

    /** The name is no host's: the JVM's proxy, which is the gateway, finds it. */
    @GetMapping("/call/{service}")
    public String call(@PathVariable("service") String service) {
        return calls.get().uri("http://" + service + "/hello").retrieve().body(String.class);
    }
}
