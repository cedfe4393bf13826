import pytest

from registry.live.redis_link import RedisLink, masked
from registry.settings import StartRefused


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://:hunter2@h:6379/0", "redis://:***@h:6379/0"),
        ("rediss://me:hunter2@h:6379/3?ssl_keyfile=k&password=hunter2", "rediss://me:***@h:6379/3"),
        ("unix://me:hunter2@/run/redis.sock?db=1", "unix://me:***@/run/redis.sock"),
        ("redis://h/0?password=hunter2", "redis://h/0"),
        ("redis://me:hunt@er2@h/0", "redis://me:***@h/0"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize("url", ["localhost:6379", "http://:hunter2@h/0", "redis://:hunter2@h:port/0", ""])
def test_what_is_no_url_of_redis_is_refused_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(StartRefused) as refused:
        RedisLink(url)
    assert "is no URL of Redis" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
