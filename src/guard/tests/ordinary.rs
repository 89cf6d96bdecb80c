use crate::guard::testing::run_all;

#[test]
fn hello() {
    for outcome in run_all(vec!["class A:\n    def __init__(self, x): self.x = x\nprint('a', A(1).x, type(A(2)), A, A(3), len)".into()]) {
        assert_eq!(outcome.error, None);
        println!("{}", outcome.output);
    }
}
