//! An authority of a test, and certificates that it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use crate::support::Folder;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Puts a certificate for `name` with its key into `folder`, and the authority that its node
    /// trusts; the keys of the config that name them.
    pub(crate) fn equip(&self, folder: &Folder, name: &str, trusted: &Self) -> String {
        self.sign(folder, CertificateParams::new([name.to_owned()]).unwrap());
        folder.write("ca.pem", trusted.0.pem());
        "cluster_tls = true\ncluster_certfile = 'cert.pem'\ncluster_keyfile = 'key.pem'\n\
         cluster_ca = 'ca.pem'"
            .to_owned()
    }

    /// Replaces the certificate by one that is not valid any more.
    pub(crate) fn expire(&self, folder: &Folder, name: &str) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 3, 4);
        self.sign(folder, params);
    }

    fn sign(&self, folder: &Folder, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        folder.write("key.pem", key.serialize_pem()).write("cert.pem", certificate.pem());
    }
}
