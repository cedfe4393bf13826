"""From a policy's settings of balancing to the balancer."""

from gateway.balancing.affinity import Affinity
from gateway.balancing.auto_weights import AutoWeights
from gateway.balancing.hash_key import compile_hash
from gateway.balancing.least_request import least_request
from gateway.balancing.maglev import Maglev
from gateway.balancing.peak_ewma import PeakEwma
from gateway.balancing.random import random_pick
from gateway.balancing.ring_hash import RingHash
from gateway.balancing.round_robin import RoundRobin
from gateway.plan import Parts
from gateway.upstream.cluster import Balancer
from gateway.upstream.cluster_settings import BalancingSettings


def balancer_for(settings: BalancingSettings, parts: Parts) -> Balancer:
    algorithm = _algorithm(settings, parts)
    if settings.has_auto_weights:
        algorithm = AutoWeights(algorithm)
    return algorithm if settings.affinity is None else Affinity(algorithm, *settings.affinity)


def _algorithm(settings: BalancingSettings, parts: Parts) -> Balancer:
    random = parts.random
    match settings.algorithm:
        case "round_robin":
            return RoundRobin(random, parts.workers)
        case "random":
            return lambda eligible: random_pick(eligible, random)
        case "peak_ewma":
            return PeakEwma(random, settings.decay_s)
        case "ring_hash":
            hash_of = compile_hash(*settings.hash_key, random)
            return RingHash(hash_of, settings.ring_size, settings.max_load_factor, parts.aside)
        case "maglev":
            hash_of = compile_hash(*settings.hash_key, random)
            return Maglev(hash_of, settings.table_size, settings.max_load_factor, parts.aside)
    return lambda eligible: least_request(eligible, random, settings.choices)
