// Walks a service's life through the Go client of Consul, as it is, against the registry named on the command line.
// It prints one line a step and ends with a status other than 0 at the first that is not as with Consul.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	service  = "carts"
	id       = "Carts.go:1"
	atOnce   = 5 * time.Second
	longWait = 30 * time.Second
)

func main() {
	config := api.DefaultConfig()
	config.Address = os.Args[1]
	client, err := api.NewClient(config)
	must(err)
	walk(client)
}

func walk(client *api.Client) {
	agent, health := client.Agent(), client.Health()

	entries, meta, err := health.Service(service, "", false, nil)
	must(err)
	expect(len(entries) == 0, "nothing is there before")

	watched := make(chan *api.QueryMeta, 1)
	go func() {
		found, later, err := health.Service(service, "", false, &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: longWait})
		must(err)
		expect(len(found) == 1, "the watch shows what was registered")
		watched <- later
	}()
	time.Sleep(200 * time.Millisecond) // so that the watch is mostly there first; it must see the change either way

	must(agent.ServiceRegister(&api.AgentServiceRegistration{
		ID: id, Name: service, Address: "127.0.0.1", Port: 9000, Tags: []string{"go"},
		Meta:            map[string]string{"owner": "ana"},
		Weights:         &api.AgentWeights{Passing: 7, Warning: 2},
		TaggedAddresses: map[string]api.ServiceAddress{"wan": {Address: "203.0.113.7", Port: 80}},
		Check:           &api.AgentServiceCheck{TTL: "10s", DeregisterCriticalServiceAfter: "1m"},
	}))
	var later *api.QueryMeta
	select {
	case later = <-watched:
	case <-time.After(atOnce):
		fail("the watch did not answer at once")
	}
	expect(later.LastIndex > meta.LastIndex, "the index has grown")
	expect(later.KnownLeader, "a leader is known")

	checkID := "service:" + id
	expect(status(agent) == api.HealthCritical, "a TTL check is critical until its first update")
	must(agent.UpdateTTL(checkID, "all is well", api.HealthPassing))
	expect(status(agent) == api.HealthPassing, "and passes after it")

	entries, meta, err = health.Service(service, "go", true, nil)
	must(err)
	expect(len(entries) == 1, "who passes is found by tag")
	found := entries[0].Service
	expect(found.ID == id && found.Port == 9000 && found.Address == "127.0.0.1", "with its place")
	expect(found.Meta["owner"] == "ana" && len(found.Meta) == 1, "and its metadata alone")
	expect(found.Weights.Passing == 7 && found.Weights.Warning == 2, "and its weights")
	expect(found.TaggedAddresses["wan"].Port == 80, "and its tagged addresses")

	must(agent.UpdateTTL(checkID, "slow", api.HealthWarning))
	entries, meta, err = health.Service(service, "", false, &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: longWait})
	must(err)
	expect(entries[0].Checks.AggregatedStatus() == api.HealthWarning, "a warning is seen by a blocking query")
	must(agent.UpdateTTL(checkID, "gone", api.HealthCritical))
	expect(status(agent) == api.HealthCritical, "and a failure")
	must(agent.UpdateTTL(checkID, "", api.HealthPassing))

	must(agent.EnableServiceMaintenance(id, "new disks"))
	entries, _, err = health.Service(service, "", false, nil)
	must(err)
	expect(entries[0].Checks.AggregatedStatus() == api.HealthMaint, "maintenance is Consul's own")
	must(agent.DisableServiceMaintenance(id))

	begun := time.Now()
	_, quiet, err := health.Service("nobody", "", false, nil)
	must(err)
	_, same, err := health.Service("nobody", "", false, &api.QueryOptions{WaitIndex: quiet.LastIndex, WaitTime: time.Second})
	must(err)
	expect(same.LastIndex == quiet.LastIndex && time.Since(begun) >= time.Second, "a quiet watch waits and keeps its index")

	services, _, err := client.Catalog().Services(nil)
	must(err)
	expect(len(services[service]) == 1, "the catalogue lists it")
	one, _, err := agent.Service(id, nil)
	must(err)
	expect(one.ContentHash != "" && one.Service == service, "the agent shows it")

	_, _, err = client.KV().Get("config", nil)
	expect(err != nil, "what is not there is an error: "+fmt.Sprint(err))
	expect(agent.UpdateTTL("service:nobody", "", api.HealthPassing) != nil, "an unknown check is an error")

	must(agent.ServiceDeregister(id))
	entries, _, err = health.Service(service, "", false, nil)
	must(err)
	expect(len(entries) == 0, "and it is gone")
	fmt.Println("done")
}

func status(agent *api.Agent) string {
	found, _, err := agent.AgentHealthServiceByID(id)
	must(err)
	return found
}

func expect(holds bool, what string) {
	if !holds {
		fail("not so: " + what)
	}
	fmt.Println(what)
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
